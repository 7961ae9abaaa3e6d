import { ExecutionRun } from './execution-run.ts';
import type { Turn } from './turn.ts';

/** What waits for the worker, first in, first out: executions, and what is done between them. */
export class ExecutionQueue {
  #items: (ExecutionRun | Turn)[] = [];

  get length(): number {
    return this.#items.length;
  }

  add(item: ExecutionRun | Turn): void {
    this.#items.push(item);
  }

  /** The oldest. */
  take(): ExecutionRun | Turn | undefined {
    return this.#items.shift();
  }

  /** Takes an execution out of it. @returns undefined where it does not wait */
  remove(id: string): ExecutionRun | undefined {
    const found = this.#items.find((item) => item instanceof ExecutionRun && item.id === id);
    if (!(found instanceof ExecutionRun)) return undefined;
    this.#items = this.#items.filter((item) => item !== found);
    return found;
  }

  /** Takes all. */
  empty(): readonly (ExecutionRun | Turn)[] {
    return this.#items.splice(0);
  }
}
