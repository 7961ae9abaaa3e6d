import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type ExecuteRequest,
  type Execution,
  type ExecutionList,
  type ExecutionListQuery,
  type ExecutionStatus,
  invalidRequest,
  ReplPoolError,
} from '@replpool/protocol';
import { discard } from './discard.ts';
import type { ExecutionRun } from './execution-run.ts';

/** Whole outcomes kept; of older executions only the body's hash and the status. */
const KEPT_OUTCOMES = 1000;
/** Outcomes with more JSON than this are kept on disk: 1,000 of them must not fill the agent's memory. */
const IN_MEMORY_CHARACTERS = 16 * 1024;

/** A page of the list has about so much JSON at most. */
const PAGE_CHARACTERS = 32 * 1024 * 1024;

interface Entry {
  readonly hash: string;
  readonly firstSeq: number;
  lastSeq?: number;
  status: ExecutionStatus;
  run?: ExecutionRun | undefined;
  outcome?: string | { file: string } | undefined;
}

/** What those who do not run executions may ask of it. */
export type KnownExecutions = Pick<ExecutionHistory, 'get' | 'firstSeq' | 'lastSeq' | 'list'>;

/** All executions that a session ever accepted, by id: an id gives the same answer for ever and never a second run. */
export class ExecutionHistory {
  readonly #session: string;
  readonly #folder: string;
  readonly #entries = new Map<string, Entry>();
  #withOutcome: string[] = [];
  #files = 0;

  /** @param folder of its own, made on first need; it goes with the session's */
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
    this.#entries.set(run.id, {
      hash: bodyHash(run.request),
      firstSeq: run.firstSeq,
      status: 'queued',
      run,
    });
  }

  /** @param lastSeq the number of its `finished` event */
  finish(run: ExecutionRun, outcome: Execution, lastSeq: number): void {
    const entry = this.#entries.get(run.id);
    if (!entry) return;
    entry.lastSeq = lastSeq;
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

  /** The number of an execution's last event; undefined until it has ended, and where the id is unknown. */
  lastSeq(id: string): number | undefined {
    return this.#entries.get(id)?.lastSeq;
  }

  /**
   * Oldest first: the executions whose outcome is still whole, then those that have not ended. A page ends early where outcomes are large.
   * @throws ReplPoolError INVALID_REQUEST
   */
  async list({ limit = KEPT_OUTCOMES, continue: token }: ExecutionListQuery): Promise<ExecutionList> {
    const open = [...this.#entries].filter(([, entry]) => entry.run).map(([id]) => id);
    const ids = [...this.#withOutcome, ...open];
    // A token is the last id of its page; one that is forgotten by now lies before all that are left.
    if (token !== undefined && !this.#entries.has(token))
      throw invalidRequest('continue', 'not a token that a list gave');
    const rest = token === undefined ? ids : ids.slice(ids.indexOf(token) + 1);
    const items: Execution[] = [];
    let size = 0;
    for (const id of rest) {
      const entry = this.#entries.get(id);
      if (!entry) continue;
      const { outcome } = entry;
      const json = typeof outcome === 'object' ? await readFile(outcome.file, 'utf8').catch(() => undefined) : outcome;
      items.push(json === undefined ? this.get(id) : (JSON.parse(json) as Execution));
      size += json?.length ?? 0;
      if (items.length >= limit || size > PAGE_CHARACTERS) break;
    }
    const last = items.at(-1)?.id;
    return { items, ...(last !== undefined && items.length < rest.length && { continue: last }) };
  }

  [Symbol.dispose](): void {
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

  /** User code may have deleted the file: then only the status is left. */
  #load(outcome: Entry['outcome']): string | undefined {
    if (typeof outcome !== 'object') return outcome;
    try {
      return readFileSync(outcome.file, 'utf8');
    } catch {
      return undefined;
    }
  }

  #forgetOldest(): void {
    const id = this.#withOutcome.shift();
    const entry = id === undefined ? undefined : this.#entries.get(id);
    if (!entry) return;
    if (typeof entry.outcome === 'object') discard(entry.outcome.file);
    entry.outcome = undefined;
  }

  #outcome(id: string, entry: Entry): Execution {
    const json = this.#load(entry.outcome);
    if (json !== undefined) return JSON.parse(json) as Execution;
    return {
      id,
      session: this.#session,
      status: entry.status,
      stdout: '',
      stderr: '',
      displays: [],
      warnings: [
        {
          code: 'OUTCOME_EXPIRED',
          message: `only the status is kept: it is not among the last ${KEPT_OUTCOMES}, or its file was deleted`,
        },
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
