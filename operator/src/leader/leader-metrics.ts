import { Gauge, type Registry } from 'prom-client';

/** client-go's `leader_election_master_status`: 1 where this process leads by the Lease of that name. */
export function observeLeadership(registry: Registry, name: string, isLeading: () => boolean): void {
  new Gauge({
    name: 'leader_election_master_status',
    help: '1 while this process leads by the Lease of that name, else 0.',
    labelNames: ['name'],
    registers: [registry],
    collect() {
      this.set({ name }, isLeading() ? 1 : 0);
    },
  });
}
