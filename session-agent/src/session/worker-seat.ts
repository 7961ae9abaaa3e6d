import type { SessionWorker } from './session-worker.ts';
import type { Twin } from './twin.ts';

/** Who is a session's worker, who is on the way out of it and who on the way in. */
export class WorkerSeat {
  #worker: SessionWorker | undefined;
  /** Ends while its twin takes its place; what it wrote is still delivered. */
  #leaving: SessionWorker | undefined;
  /** Counts the tries to fill it: a newer one supersedes those still on their way. */
  #attempt = 0;
  #takingOver: Promise<boolean> | undefined;

  get worker(): SessionWorker | undefined {
    return this.#worker;
  }

  /** Whether what this one writes is the session's output. */
  isHeard(worker: SessionWorker): boolean {
    return worker === this.#worker || worker === this.#leaving;
  }

  /** Somebody sets about to fill it. @returns whether another has, since */
  begin(): () => boolean {
    this.#attempt += 1;
    const attempt = this.#attempt;
    return () => attempt !== this.#attempt;
  }

  fill(worker: SessionWorker): void {
    this.#worker = worker;
  }

  /** From now on there is none, and nobody is on the way; its questions are answered by an error. @returns who is to be ended */
  empty(): readonly SessionWorker[] {
    const all = [this.#worker, this.#leaving].filter((worker) => worker !== undefined);
    this.#attempt += 1;
    this.#worker = undefined;
    this.#leaving = undefined;
    for (const worker of all) worker.release();
    return all;
  }

  /** It has died, and another is to take its place. */
  leave(): void {
    this.#leaving = this.#worker;
    this.#worker = undefined;
  }

  /**
   * Ends the worker and has a twin of it go on.
   * @returns false where somebody else has filled or emptied it meanwhile
   * @throws Error where the twin is gone; then nothing of either is left
   */
  takeOver(twin: Twin): Promise<boolean> {
    const takingOver = this.#takeOver(twin);
    this.#takingOver = takingOver;
    const over = () => {
      if (this.#takingOver === takingOver) this.#takingOver = undefined;
    };
    takingOver.then(over, over);
    return takingOver;
  }

  /** Resolves when no twin is on its way in. */
  async settled(): Promise<void> {
    await Promise.allSettled([this.#takingOver]);
  }

  async #takeOver(twin: Twin): Promise<boolean> {
    const old = this.#leaving ?? this.#worker;
    if (old === undefined) {
      twin[Symbol.dispose]();
      return false;
    }
    this.#leaving = old;
    this.#worker = undefined;
    const isSuperseded = this.begin();
    try {
      const successor = await old.replaceBy(twin);
      if (isSuperseded()) {
        await successor.kill();
        return false;
      }
      this.#worker = successor;
      return true;
    } catch (error) {
      if (isSuperseded()) return false;
      throw error;
    } finally {
      if (this.#leaving === old) this.#leaving = undefined;
      old.release();
    }
  }
}
