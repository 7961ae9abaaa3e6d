import type { ExecuteRequest, Execution, ExecutionStatus, FromWorkerFrame, MimeBundle } from '@replpool/protocol';
import { OutputBudget } from './output-budget.ts';

type FinishedFrame = Extract<FromWorkerFrame, { type: 'finished' }>;
/** An execution's `displays` hold so many and so many bytes of JSON; what became events is all there. */
const KEPT_DISPLAYS = 100;
const KEPT_DISPLAY_BYTES = 8 * 1024 * 1024;

/** One execution from its acceptance to its outcome: what it said so far, and what it becomes for the API. */
export class ExecutionRun {
  readonly id: string;
  readonly request: ExecuteRequest;
  /** The event number before this execution's first event: where its replay starts. */
  readonly firstSeq: number;
  readonly output: OutputBudget;
  /** Lines left of `stdin`; undefined where `input()` asks the clients. */
  readonly stdin: string[] | undefined;
  readonly #session: string;
  readonly #ended = Promise.withResolvers<Execution>();
  status: ExecutionStatus = 'queued';
  /** Of the namespace, this one included; known when it goes to the worker. */
  executionCount: number | undefined;
  /** Why the agent is ending it; decides the status of a run that is interrupted or killed. */
  ending: 'interrupt' | 'timeout' | undefined;
  result: MimeBundle | undefined;
  error: Execution['error'];
  readonly displays: MimeBundle[] = [];
  readonly warnings: Execution['warnings'] = [];
  #displayRoom = KEPT_DISPLAY_BYTES;
  #variables: Execution['variables'] = { added: [], changed: [], deleted: [] };
  #cpuMs = 0;
  #maxRssBytes = 0;
  #startedAt: Date | undefined;
  #finishedAt: Date | undefined;
  #clock = 0;
  #durationMs = 0;

  constructor(options: {
    id: string;
    session: string;
    request: ExecuteRequest;
    firstSeq: number;
    outputBytes: number;
  }) {
    this.id = options.id;
    this.request = options.request;
    this.firstSeq = options.firstSeq;
    this.output = new OutputBudget(options.outputBytes);
    this.stdin = options.request.stdin === undefined ? undefined : splitLines(options.request.stdin);
    this.#session = options.session;
  }

  /** Resolves with the outcome; never rejects. */
  get ended(): Promise<Execution> {
    return this.#ended.promise;
  }

  start(): void {
    this.status = 'running';
    this.#startedAt = new Date();
    this.#clock = performance.now();
  }

  /** @param size bytes of its JSON */
  display(bundle: MimeBundle, size: number): void {
    if (this.displays.length >= KEPT_DISPLAYS || size > this.#displayRoom) return;
    this.#displayRoom -= size;
    this.displays.push(bundle);
  }

  /** Takes what the worker counted. */
  measured(frame: FinishedFrame): void {
    this.executionCount = frame.executionCount;
    this.#variables = frame.variables;
    this.#cpuMs = frame.usage.cpuMs;
    this.#maxRssBytes = frame.usage.maxRssBytes;
  }

  /** Fixes status and times; the outcome is what `toResource` gives from now on. */
  finish(status: ExecutionStatus): Execution {
    this.status = status;
    this.#finishedAt = new Date();
    if (this.#startedAt) this.#durationMs = performance.now() - this.#clock;
    return this.toResource();
  }

  /** Answers everyone who waits for the end; after its `finished` event. */
  settle(outcome: Execution): void {
    this.#ended.resolve(outcome);
  }

  toResource(): Execution {
    const { stdout, stderr } = this.output.truncated;
    return {
      id: this.id,
      session: this.#session,
      status: this.status,
      ...(this.executionCount !== undefined && { executionCount: this.executionCount }),
      ...(this.result && { result: this.result }),
      stdout: this.output.text('stdout'),
      stderr: this.output.text('stderr'),
      displays: [...this.displays],
      ...(this.error && { error: this.error }),
      warnings: [...this.warnings],
      variables: this.#variables,
      usage: { cpuMs: this.#cpuMs, wallMs: this.#durationMs, maxRssBytes: this.#maxRssBytes },
      ...(this.#startedAt && { startedAt: this.#startedAt.toISOString() }),
      ...(this.#finishedAt && { finishedAt: this.#finishedAt.toISOString() }),
      ...(this.#finishedAt && { durationMs: this.#durationMs }),
      ...(stdout + stderr > 0 && { truncated: { stdout, stderr } }),
    };
  }
}

/** Lines without their newline, as `input()` takes them; a last line without one counts. */
function splitLines(text: string): string[] {
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  return lines;
}
