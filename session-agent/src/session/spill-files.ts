import { appendFileSync, closeSync, mkdirSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { SessionEvent } from '@replpool/protocol';
import { discard } from './discard.ts';
import type { LoggedEvent } from './event-log.ts';

/** Where events go that no longer fit into memory. */
export interface SpillFiles extends Disposable {
  append(event: LoggedEvent): void;
  /** Events from this number on, in order and without a hole, as many as one read brings; none where it is not held. */
  read(seq: number): readonly LoggedEvent[];
  /** The lowest number held that is at least `seq`. */
  oldestAfter(seq: number): number | undefined;
}

/** Keeps nothing: what leaves memory is a gap. */
export const NO_SPILL: SpillFiles = {
  append: () => undefined,
  read: () => [],
  oldestAfter: () => undefined,
  [Symbol.dispose]: () => undefined,
};

interface Segment {
  readonly path: string;
  readonly firstSeq: number;
  /** Where each event's line begins, and at the end where the next one will. */
  readonly offsets: number[];
}

/** Written in batches of this size: a write of it into the page cache takes about 0.1 ms. */
const BATCH_BYTES = 256 * 1024;
const SEGMENT_BYTES = 4 * 1024 * 1024;
/** One read brings at most so many bytes, but always one event: it holds the agent's thread for about a millisecond. */
const READ_BYTES = 256 * 1024;

/**
 * Segments of JSON lines in one folder, oldest deleted first once `maxBytes` is reached. A disk that is full, or a folder that user code
 * deleted, loses what was there, which readers then see as a gap; it never fails the session.
 */
export class SegmentFiles implements SpillFiles {
  readonly #folder: string;
  readonly #maxBytes: number;
  #segments: Segment[] = [];
  #bytes = 0;
  #batch: LoggedEvent[] = [];
  #batchBytes = 0;

  constructor(folder: string, maxBytes: number) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
  }

  append(event: LoggedEvent): void {
    this.#batch.push(event);
    this.#batchBytes += event.json.length;
    if (this.#batchBytes >= BATCH_BYTES) this.#write();
  }

  read(seq: number): readonly LoggedEvent[] {
    const first = this.#batch[0];
    if (first && seq >= first.seq) return this.#batch.slice(seq - first.seq);
    const segment = this.#segments.find((each) => seq >= each.firstSeq && seq < each.firstSeq + events(each));
    if (!segment) return [];
    try {
      return readEvents(segment, seq);
    } catch {
      this.#drop(segment);
      return [];
    }
  }

  oldestAfter(seq: number): number | undefined {
    return this.#segments.find((each) => each.firstSeq >= seq)?.firstSeq ?? this.#batch[0]?.seq;
  }

  [Symbol.dispose](): void {
    discard(this.#folder);
    this.#segments = [];
    this.#batch = [];
  }

  #write(): void {
    const [first] = this.#batch;
    if (!first) return;
    const lines = this.#batch.map((event) => event.json);
    this.#batch = [];
    this.#batchBytes = 0;
    const segment = this.#openSegment(first.seq);
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      appendFileSync(segment.path, `${lines.join('\n')}\n`);
    } catch {
      // Half a line at the end of a segment would hide what follows it: the segment is given up, its events are a gap.
      this.#drop(segment);
      return;
    }
    const before = bytes(segment);
    for (const line of lines) segment.offsets.push(bytes(segment) + Buffer.byteLength(line) + 1);
    this.#bytes += bytes(segment) - before;
    while (this.#bytes > this.#maxBytes && this.#segments.length > 1) this.#drop(this.#segments[0] ?? segment);
  }

  /** The newest segment while it has room and no hole would come before `seq`, else a new one. */
  #openSegment(seq: number): Segment {
    const newest = this.#segments.at(-1);
    if (newest && bytes(newest) < SEGMENT_BYTES && newest.firstSeq + events(newest) === seq) return newest;
    const segment = { path: join(this.#folder, `${seq}.ndjson`), firstSeq: seq, offsets: [0] };
    this.#segments.push(segment);
    return segment;
  }

  #drop(segment: Segment): void {
    discard(segment.path);
    this.#bytes -= bytes(segment);
    this.#segments = this.#segments.filter((each) => each !== segment);
  }
}

function bytes(segment: Segment): number {
  return segment.offsets.at(-1) ?? 0;
}

function events(segment: Segment): number {
  return segment.offsets.length - 1;
}

/** @throws Error where the file is not what was written */
function readEvents({ path, firstSeq, offsets }: Segment, seq: number): LoggedEvent[] {
  const index = seq - firstSeq;
  const start = offsets[index] ?? 0;
  let last = index + 1;
  while (last + 1 < offsets.length && (offsets[last + 1] ?? 0) - start <= READ_BYTES) last += 1;
  const buffer = Buffer.allocUnsafe((offsets[last] ?? start) - start);
  const file = openSync(path, 'r');
  try {
    if (readSync(file, buffer, 0, buffer.length, start) < buffer.length) throw new Error(`${path} is cut`);
  } finally {
    closeSync(file);
  }
  const lines = buffer.toString('utf8').split('\n', last - index);
  return lines.map((json, n) => {
    const event = JSON.parse(json) as SessionEvent;
    if (event.seq !== seq + n) throw new Error(`${path} is not what was written`);
    return { seq: event.seq, execution: event.execution, type: event.type, json };
  });
}
