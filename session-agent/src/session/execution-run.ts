import type {
  ExecuteRequest,
  Execution,
  ExecutionStatus,
  FromWorkerFrame,
  MimeBundle,
  Warning,
} from '@replpool/protocol';
import { KeptDisplays } from './kept-displays.ts';
import { OutputBudget } from './output-budget.ts';

const KEPT_WARNINGS = 100;
/** Characters; the stacks of all threads have 64 KiB. */
const KEPT_WARNING = 128 * 1024;

type FinishedFrame = Extract<FromWorkerFrame, { type: 'finished' }>;

/** What an `input_reply` says: a line, or the end, or a line with which it ends. */
export interface InputAnswer {
  readonly value?: string;
  readonly eof?: true;
}

/** One execution from its acceptance to its outcome: what it said so far, and what it becomes for the API. */
export class ExecutionRun {
  readonly id: string;
  readonly request: ExecuteRequest;
  /** The event number before this execution's first event: where its replay starts. */
  readonly firstSeq: number;
  readonly output: OutputBudget;
  /** The answers that `stdin` has left; undefined where `input()` asks the clients. */
  readonly stdin: Iterator<InputAnswer> | undefined;
  readonly #session: string;
  readonly #ended = Promise.withResolvers<Execution>();
  status: ExecutionStatus = 'queued';
  /** Of the namespace, this one included; known when it goes to the worker. */
  executionCount: number | undefined;
  /** Why the agent is ending it; decides the status of a run that is interrupted or killed. */
  ending: 'interrupt' | 'timeout' | undefined;
  result: MimeBundle | undefined;
  error: Execution['error'];
  transaction: Execution['transaction'];
  readonly displays = new KeptDisplays();
  readonly #warnings: Warning[] = [];
  #variables: Execution['variables'] = { added: [], changed: [], deleted: [] };
  #cpuMs = 0;
  #maxRssBytes = 0;
  #startedAt: Date | undefined;
  #finishedAt: Date | undefined;
  #isMeasured = false;
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
    this.stdin = options.request.stdin === undefined ? undefined : answers(options.request.stdin);
    this.#session = options.session;
  }

  /** Resolves with the outcome; never rejects. */
  get ended(): Promise<Execution> {
    return this.#ended.promise;
  }

  /** Whether the worker was told of it and has not told of its end. */
  get isWithWorker(): boolean {
    return this.executionCount !== undefined && !this.#isMeasured;
  }

  start(): void {
    this.status = 'running';
    this.#startedAt = new Date();
    this.#clock = performance.now();
  }

  /** The outcome has the first of them; all are in the events. */
  warn({ code, message }: Warning): void {
    if (this.#warnings.length >= KEPT_WARNINGS) return;
    const short = message.length > KEPT_WARNING ? `${message.slice(0, KEPT_WARNING)}…` : message;
    this.#warnings.push({ code, message: short });
  }

  /** Takes what the worker counted. */
  measured(frame: FinishedFrame): void {
    this.#isMeasured = true;
    this.executionCount = frame.executionCount;
    this.#variables = frame.variables;
    this.#cpuMs = frame.usage.cpuMs;
    this.#maxRssBytes = frame.usage.maxRssBytes;
  }

  get variables(): Execution['variables'] {
    return this.#variables;
  }

  /** What it changed was rolled back. */
  undone(): void {
    this.#variables = { added: [], changed: [], deleted: [] };
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
      displays: this.displays.list(),
      ...(this.error && { error: this.error }),
      ...(this.transaction && { transaction: this.transaction }),
      warnings: [...this.#warnings],
      variables: this.#variables,
      usage: { cpuMs: this.#cpuMs, wallMs: this.#durationMs, maxRssBytes: this.#maxRssBytes },
      ...(this.#startedAt && { startedAt: this.#startedAt.toISOString() }),
      ...(this.#finishedAt && { finishedAt: this.#finishedAt.toISOString() }),
      ...(this.#finishedAt && { durationMs: this.#durationMs }),
      ...(stdout + stderr > 0 && { truncated: { stdout, stderr } }),
    };
  }
}

/** Line by line without the newline, as `input()` takes them; a last line that has none says so by `eof`. */
function* answers(text: string): Generator<InputAnswer, undefined> {
  let at = 0;
  for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', at)) {
    const isCrlf = end > at && text[end - 1] === '\r';
    yield { value: text.slice(at, isCrlf ? end - 1 : end) };
    at = end + 1;
  }
  if (at < text.length) yield { value: text.slice(at), eof: true };
}
