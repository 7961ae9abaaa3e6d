import { appendFileSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { SessionEvent } from '@replpool/protocol';
import type { LoggedEvent } from './event-log.ts';

/** Where events go that no longer fit into memory. */
export interface SpillFiles extends Disposable {
  append(event: LoggedEvent): void;
  read(seq: number): LoggedEvent | undefined;
  /** The lowest number held that is at least `seq`. */
  oldestAfter(seq: number): number | undefined;
}

/** Keeps nothing: what leaves memory is a gap. */
export const NO_SPILL: SpillFiles = {
  append: () => undefined,
  read: () => undefined,
  oldestAfter: () => undefined,
  [Symbol.dispose]: () => undefined,
};

interface Segment {
  readonly path: string;
  readonly firstSeq: number;
  lastSeq: number;
  bytes: number;
}

/** Written in batches of this size: a write of it into the page cache takes about 0.1 ms. */
const BATCH_BYTES = 256 * 1024;
const SEGMENT_BYTES = 4 * 1024 * 1024;

/**
 * Segments of JSON lines in one folder, oldest deleted first once `maxBytes` is reached. A disk that is full loses what could not be
 * written, which readers then see as a gap; it never fails the session.
 */
export class SegmentFiles implements SpillFiles {
  readonly #folder: string;
  readonly #maxBytes: number;
  #segments: Segment[] = [];
  #bytes = 0;
  #batch: LoggedEvent[] = [];
  #batchBytes = 0;
  #cached: { firstSeq: number; events: LoggedEvent[] } | undefined;

  constructor(folder: string, maxBytes: number) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
  }

  append(event: LoggedEvent): void {
    this.#batch.push(event);
    this.#batchBytes += event.json.length;
    if (this.#batchBytes >= BATCH_BYTES) this.#write();
  }

  read(seq: number): LoggedEvent | undefined {
    const first = this.#batch[0];
    if (first && seq >= first.seq) return this.#batch[seq - first.seq];
    const segment = this.#segments.find((each) => seq >= each.firstSeq && seq <= each.lastSeq);
    if (!segment) return undefined;
    if (this.#cached?.firstSeq !== segment.firstSeq || this.#cached.events.length <= seq - segment.firstSeq) {
      this.#cached = { firstSeq: segment.firstSeq, events: readSegment(segment) };
    }
    return this.#cached.events[seq - segment.firstSeq];
  }

  oldestAfter(seq: number): number | undefined {
    return this.#segments.find((each) => each.firstSeq >= seq)?.firstSeq ?? this.#batch[0]?.seq;
  }

  [Symbol.dispose](): void {
    discard(this.#folder);
    this.#segments = [];
    this.#batch = [];
    this.#cached = undefined;
  }

  #write(): void {
    const [first] = this.#batch;
    const last = this.#batch.at(-1);
    if (!first || !last) return;
    const text = Buffer.from(`${this.#batch.map((event) => event.json).join('\n')}\n`);
    this.#batch = [];
    this.#batchBytes = 0;
    const segment = this.#openSegment(first.seq);
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      appendFileSync(segment.path, text);
    } catch {
      // Half a line at the end of a segment would hide what follows it: the segment is given up, its events are a gap.
      this.#drop(segment);
      return;
    }
    segment.lastSeq = last.seq;
    segment.bytes += text.length;
    this.#bytes += text.length;
    while (this.#bytes > this.#maxBytes && this.#segments.length > 1) this.#drop(this.#segments[0] ?? segment);
  }

  /** The newest segment while it has room and no hole would come before `seq`, else a new one. */
  #openSegment(seq: number): Segment {
    const newest = this.#segments.at(-1);
    if (newest && newest.bytes < SEGMENT_BYTES && newest.lastSeq === seq - 1) return newest;
    const segment = { path: join(this.#folder, `${seq}.ndjson`), firstSeq: seq, lastSeq: seq - 1, bytes: 0 };
    this.#segments.push(segment);
    return segment;
  }

  #drop(segment: Segment): void {
    discard(segment.path);
    this.#bytes -= segment.bytes;
    this.#segments = this.#segments.filter((each) => each !== segment);
    if (this.#cached?.firstSeq === segment.firstSeq) this.#cached = undefined;
  }
}

/** Removes what is there. Where the disk refuses even that, the folder goes with the session's or with the pod. */
function discard(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // Nothing that a reader or the session could do about it.
  }
}

function readSegment(segment: Segment): LoggedEvent[] {
  const lines = readFileSync(segment.path, 'utf8').split('\n');
  lines.pop();
  return lines.map((json, index) => {
    const event = JSON.parse(json) as SessionEvent;
    return { seq: segment.firstSeq + index, execution: event.execution, type: event.type, json };
  });
}
