import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ExecuteRequest, type Execution, type ExecutionStatus, ReplPoolError } from '@replpool/protocol';
import type { ExecutionRun } from './execution-run.ts';

/** Whole outcomes kept; of older executions only the body's hash and the status. */
const KEPT_OUTCOMES = 1000;
/** Outcomes with more JSON than this are kept on disk: 1,000 of them must not fill the agent's memory. */
const IN_MEMORY_CHARACTERS = 16 * 1024;

interface Entry {
  readonly hash: string;
  readonly firstSeq: number;
  status: ExecutionStatus;
  run?: ExecutionRun | undefined;
  outcome?: string | { file: string } | undefined;
}

/** All executions that a session ever accepted, by id: an id gives the same answer for ever and never a second run. */
export class ExecutionHistory {
  readonly #session: string;
  readonly #folder: string;
  readonly #entries = new Map<string, Entry>();
  #withOutcome: string[] = [];
  #files = 0;

  /** @param folder of its own, made on first need */
  constructor(session: string, folder: string) {
    this.#session = session;
    this.#folder = folder;
  }

  /**
   * The earlier execution of this id, if any.
   * @throws ReplPoolError EXECUTION_ID_REUSED where the body differs
   */
  match(id: string, request: ExecuteRequest): { run: ExecutionRun } | { outcome: Execution } | undefined {
    const entry = this.#entries.get(id);
    if (!entry) return undefined;
    if (entry.hash !== bodyHash(request)) {
      throw new ReplPoolError('EXECUTION_ID_REUSED', `execution ${id} was sent before with another body`, {
        details: { execution: id },
      });
    }
    return entry.run ? { run: entry.run } : { outcome: this.#outcome(id, entry) };
  }

  accept(run: ExecutionRun): void {
    this.#entries.set(run.id, { hash: bodyHash(run.request), firstSeq: run.firstSeq, status: 'queued', run });
  }

  finish(run: ExecutionRun, outcome: Execution): void {
    const entry = this.#entries.get(run.id);
    if (!entry) return;
    entry.run = undefined;
    entry.status = outcome.status;
    entry.outcome = this.#store(JSON.stringify(outcome));
    this.#withOutcome.push(run.id);
    if (this.#withOutcome.length > KEPT_OUTCOMES) this.#forgetOldest();
  }

  /** @throws ReplPoolError EXECUTION_NOT_FOUND */
  get(id: string): Execution {
    const entry = this.#entry(id);
    return entry.run ? entry.run.toResource() : this.#outcome(id, entry);
  }

  /** The event number before the first event of an execution. @throws ReplPoolError EXECUTION_NOT_FOUND */
  firstSeq(id: string): number {
    return this.#entry(id).firstSeq;
  }

  /** The run of an id that has not ended yet. */
  running(id: string): ExecutionRun | undefined {
    return this.#entries.get(id)?.run;
  }

  /** Oldest first: the executions whose outcome is still whole, then those that have not ended. */
  list(): Execution[] {
    const open = [...this.#entries].filter(([, entry]) => entry.run).map(([id]) => id);
    return [...this.#withOutcome, ...open].map((id) => this.get(id));
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
    this.#entries.clear();
    this.#withOutcome = [];
  }

  #entry(id: string): Entry {
    const entry = this.#entries.get(id);
    if (entry) return entry;
    throw new ReplPoolError('EXECUTION_NOT_FOUND', `session ${this.#session} has no execution ${id}`, {
      details: { execution: id },
    });
  }

  #store(json: string): string | { file: string } {
    if (json.length <= IN_MEMORY_CHARACTERS) return json;
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      this.#files += 1;
      const file = join(this.#folder, `${this.#files}.json`);
      writeFileSync(file, json, { mode: 0o600 });
      return { file };
    } catch {
      // A full disk: the outcome stays in memory, for an acknowledged result stays acknowledged.
      return json;
    }
  }

  #forgetOldest(): void {
    const id = this.#withOutcome.shift();
    const entry = id === undefined ? undefined : this.#entries.get(id);
    if (!entry) return;
    if (typeof entry.outcome === 'object') rmSync(entry.outcome.file, { force: true });
    entry.outcome = undefined;
  }

  #outcome(id: string, entry: Entry): Execution {
    if (typeof entry.outcome === 'string') return JSON.parse(entry.outcome) as Execution;
    if (entry.outcome) return JSON.parse(readFileSync(entry.outcome.file, 'utf8')) as Execution;
    return {
      id,
      session: this.#session,
      status: entry.status,
      executionCount: 0,
      stdout: '',
      stderr: '',
      displays: [],
      warnings: [
        { code: 'OUTCOME_EXPIRED', message: `only the status of executions before the last ${KEPT_OUTCOMES} is kept` },
      ],
      variables: { added: [], changed: [], deleted: [] },
      usage: { cpuMs: 0, wallMs: 0, maxRssBytes: 0 },
    };
  }
}

/** 128 bits of SHA-256 over what the execution does; the order of fields does not matter. */
function bodyHash(request: ExecuteRequest): string {
  const { id: _id, ...body } = request;
  const ordered = JSON.stringify(Object.entries(body).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return createHash('sha256').update(ordered).digest('base64').slice(0, 22);
}
