import { classify, type Failure } from '@replpool/kube';

const PASSING = new Set<Failure>(['Unavailable', 'TooManyRequests', 'Unauthorized', 'Conflict']);

/** Whether a failure passes by itself, and says nothing of the pool. */
export function isPassing(error: unknown): boolean {
  return PASSING.has(classify(error));
}
