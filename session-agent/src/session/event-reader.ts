import type { EventLog, LoggedEvent } from './event-log.ts';

export interface EventSink {
  /** @returns false where the sink is full; the reader goes on after `resume()` */
  write(event: LoggedEvent): boolean;
  /** The reader has reached the end of what it follows. */
  end(): void;
}

export interface ReaderOptions {
  /** Only the events of this execution, until its `finished`. */
  readonly execution?: string | undefined;
  /** Whether the execution still runs; asked where `finished` was not seen. */
  running?(): boolean;
}

/** Follows a log from a position at the pace of its sink; a sink that falls behind the log gets a `gap`. */
export class EventReader implements Disposable {
  readonly #log: EventLog;
  readonly #sink: EventSink;
  readonly #options: ReaderOptions;
  readonly #subscription: Disposable;
  #position: number;
  #full = false;
  #done = false;

  /** @param from exclusive */
  constructor(log: EventLog, from: number, sink: EventSink, options: ReaderOptions = {}) {
    this.#log = log;
    this.#sink = sink;
    this.#options = options;
    this.#position = from;
    this.#subscription = log.subscribe(() => this.#pump());
    this.#pump();
  }

  /** The sink has room again. */
  resume(): void {
    this.#full = false;
    this.#pump();
  }

  [Symbol.dispose](): void {
    this.#done = true;
    this.#subscription?.[Symbol.dispose]();
  }

  #pump(): void {
    while (!this.#done && !this.#full) {
      const read = this.#log.after(this.#position);
      if (read.kind === 'end') {
        if (this.#options.execution !== undefined && this.#options.running?.() === false) this.#finish();
        return;
      }
      if (read.kind === 'gap') {
        this.#position = read.to;
        this.#full = !this.#sink.write(gap(read.from, read.to));
        continue;
      }
      const { event } = read;
      this.#position = event.seq;
      const { execution } = this.#options;
      if (execution !== undefined && event.execution !== execution) continue;
      this.#full = !this.#sink.write(event);
      if (execution !== undefined && event.type === 'finished') this.#finish();
    }
  }

  #finish(): void {
    this[Symbol.dispose]();
    this.#sink.end();
  }
}

/** Stands for the events `from` to `to`, which the log no longer holds; its `seq` is the last of them. */
function gap(from: number, to: number): LoggedEvent {
  const json = JSON.stringify({ seq: to, time: new Date().toISOString(), type: 'gap', from, to });
  return { seq: to, type: 'gap', execution: undefined, json };
}
