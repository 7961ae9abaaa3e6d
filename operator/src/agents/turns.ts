import type { Clock } from '@replpool/kube';

export interface TurnsOptions {
  readonly clock: Clock;
  /** So many have their turn in a second. */
  readonly perSecond: number;
  /** The turn of this one has come. It waits no more, until it is put again. */
  readonly ask: (uid: string) => void;
}

interface Waiting {
  readonly isNeeded: boolean;
  /** When its last turn ended. */
  readonly askedAt: number;
}

const ASKED_AGAIN_MS = 5_000;

/** Whose turn it is to be asked: first those that are needed, who came first first; and none that was asked a moment ago. */
export class Turns implements Disposable {
  readonly #clock: Clock;
  readonly #everyMs: number;
  readonly #ask: (uid: string) => void;
  readonly #waiting = new Map<string, Waiting>();
  readonly #needed = new Set<string>();
  readonly #others = new Set<string>();
  /** Those that were asked a moment ago, by the ends of their asks. */
  readonly #resting = new Set<string>();
  readonly #places = [this.#needed, this.#others, this.#resting];
  /** Runs while there is anybody to ask. */
  #timer: NodeJS.Timeout | undefined;

  constructor({ clock, perSecond, ask }: TurnsOptions) {
    this.#clock = clock;
    this.#everyMs = 1000 / perSecond;
    this.#ask = ask;
  }

  /** So long it takes until each of the needed had its turn. */
  get roundMs(): number {
    return this.#needed.size * this.#everyMs;
  }

  /** It waits for its turn; one that waits already keeps its place, unless its kind has changed. */
  put(uid: string, { isNeeded, askedAt }: Waiting): void {
    const waiting = { isNeeded, askedAt };
    this.#waiting.set(uid, waiting);
    const place = this.#placeOf(waiting);
    for (const each of this.#places) if (each !== place) each.delete(uid);
    place.add(uid);
    this.#timer ??= setInterval(() => this.#next(), this.#everyMs);
  }

  remove(uid: string): void {
    this.#waiting.delete(uid);
    for (const each of this.#places) each.delete(uid);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #placeOf({ isNeeded, askedAt }: Waiting): Set<string> {
    if (this.#clock.now() - askedAt < ASKED_AGAIN_MS) return this.#resting;
    return isNeeded ? this.#needed : this.#others;
  }

  #next(): void {
    this.#wake();
    const [uid] = this.#needed.size > 0 ? this.#needed : this.#others;
    if (uid !== undefined) {
      this.remove(uid);
      this.#ask(uid);
    } else if (this.#resting.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
  }

  /** Those that have rested wait from now on. */
  #wake(): void {
    for (const uid of this.#resting) {
      const waiting = this.#waiting.get(uid);
      const place = waiting && this.#placeOf(waiting);
      if (place === this.#resting) return;
      this.#resting.delete(uid);
      place?.add(uid);
    }
  }
}
