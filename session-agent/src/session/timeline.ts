import type { Point } from './point.ts';

/** An execution whose changes stand, with the state before it where that is kept. */
interface Step {
  readonly execution: string;
  point: Point | undefined;
}

/** What going back to a point undoes. */
export interface Undoing {
  readonly point: Point;
  /** Executions that have ended and whose changes go, the latest first. */
  readonly executions: readonly string[];
}

/** What the kernel is told of the older points, oldest first to be taken: beyond what any process has, in thousandths of the memory. */
const OLDEST_OOM_STEP = 1000;
const OOM_STEP = 20;

/** The points that a session can go back to: before what runs, and before each of its last executions. */
export class Timeline {
  readonly #keep: number;
  readonly #discard: (point: Point) => void;
  #steps: Step[] = [];
  /** Before what runs or is about to run. */
  #next: Point | undefined;
  /** Stays, however many follow: an open transaction goes back to it. */
  #held: Point | undefined;

  /**
   * @param keep before so many of the last executions
   * @param discard ends a snapshot that nobody goes back to any more
   */
  constructor(keep: number, discard: (point: Point) => void) {
    this.#keep = keep;
    this.#discard = discard;
  }

  /** Whether each execution has a point before it. */
  get isKept(): boolean {
    return this.#keep > 0;
  }

  /** So many of the last executions can be undone. */
  get undoable(): number {
    const index = this.#steps.findIndex(({ point }) => isUsable(point));
    return index < 0 ? 0 : this.#steps.length - index;
  }

  /** An execution is about to run from here. */
  begin(point: Point): void {
    this.#next = point;
    this.#tellKernel();
  }

  /** It did not run. */
  cancel(): void {
    const point = this.#next;
    this.#next = undefined;
    if (point !== undefined && point !== this.#held) this.#discard(point);
  }

  /** What it changed stands. */
  ran(execution: string): void {
    this.#steps.push({ execution, point: this.#next });
    this.#next = undefined;
    this.#trim();
  }

  /** Keeps the point before what is about to run until `release`. */
  hold(point: Point): void {
    this.#held = point;
  }

  release(): void {
    this.#held = undefined;
    this.#trim();
  }

  /** Before the last so many executions; undefined where no state from there is kept. */
  before(executions: number): Undoing | undefined {
    const point = this.#steps.at(-executions)?.point;
    return executions <= this.#steps.length && isUsable(point) ? this.to(point) : undefined;
  }

  /** The way back to a point that is kept. */
  to(point: Point): Undoing {
    const index = this.#steps.findIndex((step) => step.point === point);
    const undone = index < 0 ? [] : this.#steps.slice(index);
    return { point, executions: undone.map(({ execution }) => execution).reverse() };
  }

  /** Where to go on when the worker has died: the latest state there is, and before an open transaction. */
  get recovery(): Undoing | undefined {
    const points = this.#points;
    const last = this.#held === undefined ? points.length - 1 : points.indexOf(this.#held);
    const point = points.slice(0, last + 1).findLast((each) => each.outlivesWorker);
    return point && this.to(point);
  }

  /** The session goes back: the points from there on are no points any more, and that one is its state, which is not discarded here. */
  goBack(to: Point): void {
    const index = this.#steps.findIndex(({ point }) => point === to);
    const undone = index < 0 ? [] : this.#steps.splice(index);
    for (const { point } of [...undone, { point: this.#next }]) {
      if (point !== undefined && point !== to) this.#discard(point);
    }
    this.#next = undefined;
    this.#held = undefined;
    this.#trim();
  }

  /** The namespace is gone, and all points with it. */
  clear(): void {
    for (const point of this.#points) this.#discard(point);
    this.#steps = [];
    this.#next = undefined;
    this.#held = undefined;
  }

  /** All that there are, the oldest first. */
  get #points(): Point[] {
    return [...this.#steps.map(({ point }) => point), this.#next].filter((point) => point !== undefined);
  }

  #trim(): void {
    const surplus = this.#steps.slice(0, Math.max(0, this.#steps.length - this.#keep));
    for (const step of surplus) this.#drop(step);
    // A copy goes back to what variables hold, and as far as its transaction needs it.
    for (const step of this.#steps) if (step.point?.snapshot.kind === 'copy') this.#drop(step);
    if (this.#held === undefined) this.#steps.splice(0, surplus.length);
    this.#tellKernel();
  }

  #drop(step: Step): void {
    if (step.point === undefined || step.point === this.#held) return;
    this.#discard(step.point);
    step.point = undefined;
  }

  /** Where memory is short the oldest is to go first, and the latest, to which the session goes back then, last. */
  #tellKernel(): void {
    const older = this.#points.slice(0, -1).filter((point) => point !== this.#held);
    older.forEach((point, age) => {
      if (point.snapshot.kind === 'fork')
        point.snapshot.twin.yieldsMemory(OLDEST_OOM_STEP - OOM_STEP * Math.min(age, 20));
    });
  }
}

function isUsable(point: Point | undefined): point is Point {
  return point?.isLost === false;
}
