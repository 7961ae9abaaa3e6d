import type { FromWorkerFrame, Warning } from '@replpool/protocol';
import type { OutputStream } from '../worker/outputs.ts';
import { EarlyOutput } from './early-output.ts';
import type { EventLog } from './event-log.ts';
import type { ExecutionRun } from './execution-run.ts';
import type { SessionObserver } from './session-options.ts';

type DisplayFrame = Extract<FromWorkerFrame, { type: 'display' | 'update_display' }>;

export interface ExecutionOutputOptions {
  readonly log: EventLog;
  readonly observer: SessionObserver;
  /** Of one execution. */
  readonly outputBytes: number;
  /** The execution that the worker has. */
  current(): ExecutionRun | undefined;
}

/** What executions write, show and answer: events, and what their outcomes keep of it. */
export class ExecutionOutput {
  readonly #options: ExecutionOutputOptions;
  readonly #log: EventLog;
  readonly #early = new EarlyOutput((stream, text) => this.#logText(stream, text));

  constructor(options: ExecutionOutputOptions) {
    this.#options = options;
    this.#log = options.log;
  }

  /** What was written to `stdout` or `stderr`. */
  write(stream: OutputStream, text: string): void {
    if (text === '') return;
    this.#options.observer.output(Buffer.byteLength(text));
    if (this.#options.current()?.status === 'queued') this.#early.hold(stream, text);
    else this.#logText(stream, text);
  }

  /** Whose it is is known from here on: the execution has started, or it has ended. */
  releaseEarly(): void {
    this.#early.release();
  }

  /** A result, an error, a display or a warning; other frames are none of it. */
  receive(frame: FromWorkerFrame): void {
    const run = this.#options.current();
    switch (frame.type) {
      case 'result':
        run?.displays.outputComes();
        if (run) run.result = { data: frame.data, metadata: frame.metadata };
        this.#log.append({ type: 'result', execution: frame.execution, data: frame.data, metadata: frame.metadata });
        return;
      case 'display':
      case 'update_display':
        this.#display(run, frame);
        return;
      case 'clear_output':
        run?.displays.clear(frame.wait);
        this.#log.append({ type: 'clear_output', ...execution(frame.execution), wait: frame.wait });
        return;
      case 'error':
        run?.displays.outputComes();
        if (run) run.error = frame.error;
        this.#log.append({ type: 'error', execution: frame.execution, error: frame.error });
        return;
      case 'warning':
        this.warn(run, frame);
        return;
      default:
        return;
    }
  }

  warn(run: ExecutionRun | undefined, { code, message }: Warning): void {
    run?.warn({ code, message });
    this.#log.append({ type: 'warning', ...execution(run?.id), code, message });
  }

  #logText(stream: OutputStream, text: string): void {
    const current = this.#options.current();
    const run = current?.status === 'running' ? current : undefined;
    if (!run) {
      this.#log.append({ type: stream, data: text });
      return;
    }
    run.displays.outputComes();
    const { send, hitLimit } = run.output.take(stream, text);
    if (send !== '') this.#log.append({ type: stream, execution: run.id, data: send });
    if (hitLimit) this.#truncated(run);
  }

  #display(run: ExecutionRun | undefined, frame: DisplayFrame): void {
    const { type, data, metadata, transient } = frame;
    const size = Buffer.byteLength(JSON.stringify([data, metadata, transient]));
    const { send, hitLimit } = run?.output.takeDisplay(size) ?? { send: true, hitLimit: false };
    if (run && hitLimit) this.#truncated(run);
    if (!send) return;
    const id = typeof transient?.display_id === 'string' ? transient.display_id : undefined;
    if (type === 'display') run?.displays.show({ data, metadata }, id, size);
    else run?.displays.update({ data, metadata }, id, size);
    this.#log.append({ type, ...execution(frame.execution), data, metadata, ...(transient && { transient }) });
  }

  #truncated(run: ExecutionRun): void {
    const { observer, outputBytes } = this.#options;
    observer.limitHit('outputBytes');
    this.warn(run, { code: 'OUTPUT_TRUNCATED', message: `output beyond ${outputBytes} bytes is not kept` });
  }
}

function execution(id: string | undefined): { execution?: string } {
  return id === undefined ? {} : { execution: id };
}
