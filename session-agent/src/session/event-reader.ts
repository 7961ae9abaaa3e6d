import type { EventLog, LoggedEvent } from './event-log.ts';

/** One turn of a reader takes at most about so long; the clock is looked at after so many events. */
const TURN_MS = 5;
const EVENTS_PER_LOOK = 64;

export interface EventSink {
  /** @returns false where the sink is full; the reader goes on after `resume()` */
  write(event: LoggedEvent): boolean;
  /** The reader has reached the end of what it follows, or of the log. */
  end(): void;
}

export interface ReaderOptions {
  /** Only the events of this execution, until its `finished`. */
  readonly execution?: string | undefined;
  /** The number of the execution's last event once it has ended: nothing after it is looked at. */
  lastSeq?(): number | undefined;
}

/** Follows a log from a position at the pace of its sink; a sink that falls behind the log gets a `gap`. */
export class EventReader implements Disposable {
  readonly #log: EventLog;
  readonly #sink: EventSink;
  readonly #options: ReaderOptions;
  readonly #subscription: Disposable;
  #position: number;
  /** Events that were read and not yet taken: of a read from disk, at most as much as one read brings. */
  #ahead: readonly LoggedEvent[] = [];
  #taken = 0;
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
    if (!this.#full) return;
    this.#full = false;
    this.#pump();
  }

  [Symbol.dispose](): void {
    this.#done = true;
    this.#subscription?.[Symbol.dispose]();
  }

  /** Reads on, but never so long that other sessions would notice: a replay may go through the whole log on disk. */
  #pump(): void {
    const began = performance.now();
    for (let n = 1; !this.#done && !this.#full; n += 1) {
      const event = this.#ahead[this.#taken];
      if (event) {
        this.#taken += 1;
        this.#take(event);
      } else if (!this.#readAhead()) return;
      if (n % EVENTS_PER_LOOK !== 0 || performance.now() - began < TURN_MS) continue;
      this.#full = true;
      setImmediate(() => this.resume());
    }
  }

  /** @returns false where there is nothing to read now */
  #readAhead(): boolean {
    const lastSeq = this.#options.lastSeq?.();
    if (lastSeq !== undefined && this.#position >= lastSeq) {
      this.#finish();
      return false;
    }
    const read = this.#log.after(this.#position);
    this.#ahead = read.kind === 'events' ? read.events : [];
    this.#taken = 0;
    if (read.kind === 'gap') {
      this.#position = read.to;
      this.#full = !this.#sink.write(gap(read.from, read.to));
    }
    if (read.kind !== 'end') return true;
    if (this.#log.closed) this.#finish();
    return false;
  }

  #take(event: LoggedEvent): void {
    this.#position = event.seq;
    const { execution } = this.#options;
    if (execution !== undefined && event.execution !== execution) return;
    this.#full = !this.#sink.write(event);
    if (execution !== undefined && event.type === 'finished') this.#finish();
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
