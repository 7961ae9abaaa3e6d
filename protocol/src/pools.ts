import { z } from 'zod';
import { count, poolName } from './names.ts';

/** A pool as its clients see it, summed over the agents that the router hears from. */
export const poolSchema = z.strictObject({
  name: poolName,
  pods: count,
  readyPods: count,
  capacity: count.describe('Sessions that fit, those that exist included.'),
  active: count.describe('Sessions that exist.'),
  free: count.describe('Sessions that can be created now.'),
  warm: count.describe('Idle forks that wait for a session.'),
  hits: count,
  misses: count,
  hitRate: z.number().min(0).max(1).nullable().describe('hits / (hits + misses); null before the first session.'),
});
export type Pool = z.infer<typeof poolSchema>;

export const poolListSchema = z.strictObject({
  items: z.array(poolSchema),
  continue: z.string().optional(),
});
export type PoolList = z.infer<typeof poolListSchema>;

/** hits / (hits + misses), null where there was neither. */
export function hitRate(hits: number, misses: number): number | null {
  return hits + misses === 0 ? null : hits / (hits + misses);
}
