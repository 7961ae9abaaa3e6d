import { metrics } from '@replpool/protocol';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Clock } from '../clock.ts';

export type Restart = 'closed' | 'gone' | 'silent' | 'error';

/** How fresh each watch is, and how often it began anew. */
export class WatchMetrics {
  readonly #heard = new Map<string, () => number>();
  /** Connections that ended, by why. */
  readonly restarts: Counter<'resource' | 'reason'>;
  readonly lists: Counter<'resource'>;

  constructor(registry: Registry, clock: Clock) {
    const heard = this.#heard;
    new Gauge({
      name: metrics.watchLastEventSeconds.name,
      help: metrics.watchLastEventSeconds.help,
      labelNames: ['resource'],
      registers: [registry],
      collect() {
        this.reset();
        for (const [resource, at] of heard) this.set({ resource }, (clock.now() - at()) / 1000);
      },
    });
    this.restarts = new Counter({
      name: metrics.watchRestartsTotal.name,
      help: metrics.watchRestartsTotal.help,
      labelNames: ['resource', 'reason'],
      registers: [registry],
    });
    this.lists = new Counter({
      name: metrics.watchListsTotal.name,
      help: metrics.watchListsTotal.help,
      labelNames: ['resource'],
      registers: [registry],
    });
  }

  /**
   * @param heardAt when the last list, event or bookmark came, by the clock
   * @returns what ends it
   */
  register(resource: string, heardAt: () => number): Disposable {
    this.#heard.set(resource, heardAt);
    return {
      [Symbol.dispose]: () => {
        // The next one may have begun.
        if (this.#heard.get(resource) === heardAt) this.#heard.delete(resource);
      },
    };
  }
}
