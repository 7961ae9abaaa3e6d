import { metrics } from '@replpool/protocol';
import { Gauge, type Registry } from 'prom-client';
import type { PoolObject } from './pool-object.ts';

const STATUSES = ['True', 'False', 'Unknown'] as const;

/** What the statuses of pools say, as metrics: of who leads alone, for another would tell what was so when it led. */
export class PoolMetrics {
  #pools: () => Iterable<PoolObject> = () => [];

  constructor(registry: Registry) {
    const pools = () => this.#pools();
    new Gauge({
      ...{ name: metrics.poolCondition.name, help: metrics.poolCondition.help },
      labelNames: ['pool', 'type', 'status'],
      registers: [registry],
      collect() {
        this.reset();
        for (const pool of pools()) {
          for (const { type, status } of pool.status.conditions ?? []) {
            // One that is 0, and not only absent: a rule can ask whether it is so.
            for (const each of STATUSES)
              this.set({ pool: fullName(pool), type, status: each }, each === status ? 1 : 0);
          }
        }
      },
    });
    new Gauge({
      ...{ name: metrics.poolReplicas.name, help: metrics.poolReplicas.help },
      labelNames: ['pool', 'state'],
      registers: [registry],
      collect() {
        this.reset();
        for (const pool of pools()) {
          const { desiredReplicas, replicas, readyReplicas, updatedReplicas } = pool.status;
          const states = {
            desired: desiredReplicas,
            current: replicas,
            ready: readyReplicas,
            updated: updatedReplicas,
          };
          for (const [state, count] of Object.entries(states)) {
            if (count !== undefined) this.set({ pool: fullName(pool), state }, count);
          }
        }
      },
    });
  }

  /** Tells of these from now on, until it is disposed. */
  observe(pools: () => Iterable<PoolObject>): Disposable {
    this.#pools = pools;
    return {
      [Symbol.dispose]: () => {
        this.#pools = () => [];
      },
    };
  }
}

const fullName = ({ namespace, name }: PoolObject): string => `${namespace}:${name}`;
