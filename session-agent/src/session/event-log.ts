import type { EventPayload, EventType } from '@replpool/protocol';
import { NO_SPILL, type SpillFiles } from './spill-files.ts';

/** An event as it is kept and sent: encoded once for all readers. */
export interface LoggedEvent {
  readonly seq: number;
  readonly execution: string | undefined;
  readonly type: EventType;
  /** The event as one line of JSON, without the newline. */
  readonly json: string;
}

/** What a reader finds at a position: events from there on without a hole, or the range that the log no longer holds. */
export type LogRead =
  | { kind: 'events'; events: readonly LoggedEvent[] }
  | { kind: 'gap'; from: number; to: number }
  | { kind: 'end' };

/**
 * The numbered events of one session: a ring in memory bounded in bytes, then files on disk, then an explicit gap.
 * Readers pull by position and are told when there is more, so a slow one holds nothing up and costs no memory.
 */
export class EventLog {
  readonly #ringBytes: number;
  readonly #spill: SpillFiles;
  readonly #listeners = new Set<() => void>();
  /** Events in order; the places before #head are empty, their events have moved on to disk. */
  #ring: (LoggedEvent | undefined)[] = [];
  #head = 0;
  #bytes = 0;
  #lastSeq = 0;
  #closed = false;

  constructor(options: { ringBytes: number; spill?: SpillFiles }) {
    this.#ringBytes = options.ringBytes;
    this.#spill = options.spill ?? NO_SPILL;
  }

  /** The number of the newest event, 0 before the first. */
  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** Bytes of events in memory. */
  get memoryBytes(): number {
    return this.#bytes;
  }

  /** No event will follow: its session has ended. */
  get closed(): boolean {
    return this.#closed;
  }

  append(event: EventPayload): void {
    if (this.#closed) return;
    const seq = this.#lastSeq + 1;
    const json = JSON.stringify({ seq, time: new Date().toISOString(), ...event });
    const logged: LoggedEvent = { seq, type: event.type, execution: event.execution, json };
    this.#lastSeq = seq;
    this.#ring.push(logged);
    this.#bytes += json.length;
    while (this.#bytes > this.#ringBytes && this.#ring.length - this.#head > 1) this.#spillOldest();
    if (this.#head > 1024 && this.#head * 2 > this.#ring.length) this.#compact();
    for (const listener of this.#listeners) listener();
  }

  /** What comes after position `seq`. */
  after(seq: number): LogRead {
    if (seq >= this.#lastSeq) return { kind: 'end' };
    const inRing = this.#fromRing(seq + 1);
    if (inRing) return { kind: 'events', events: [inRing] };
    const onDisk = this.#spill.read(seq + 1);
    if (onDisk.length > 0) return { kind: 'events', events: onDisk };
    const oldestOnDisk = this.#spill.oldestAfter(seq + 1);
    return { kind: 'gap', from: seq + 1, to: (oldestOnDisk ?? this.#oldestInRing()) - 1 };
  }

  /** Calls `listener` after each append and at the log's end, until disposed. */
  subscribe(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** Ends the log and what it has on disk; readers still get what is in memory. */
  [Symbol.dispose](): void {
    this.#closed = true;
    for (const listener of this.#listeners) listener();
    this.#listeners.clear();
    this.#spill[Symbol.dispose]();
  }

  #oldestInRing(): number {
    return this.#ring[this.#head]?.seq ?? this.#lastSeq + 1;
  }

  #fromRing(seq: number): LoggedEvent | undefined {
    return this.#ring[this.#head + seq - this.#oldestInRing()];
  }

  #spillOldest(): void {
    const oldest = this.#ring[this.#head];
    if (!oldest) return;
    this.#ring[this.#head] = undefined;
    this.#head += 1;
    this.#bytes -= oldest.json.length;
    this.#spill.append(oldest);
  }

  #compact(): void {
    this.#ring = this.#ring.slice(this.#head);
    this.#head = 0;
  }
}
