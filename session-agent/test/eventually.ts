import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

const PATIENCE_MS = 30_000;

/**
 * Asks again and again until it is so.
 * @returns the first answer that is neither false, null nor undefined
 * @throws AssertionError that says `what` did not come to be
 */
export async function eventually<T>(
  what: string,
  ask: () => T | Promise<T>,
  patienceMs = PATIENCE_MS,
): Promise<Exclude<T, false | null | undefined>> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const answer = await ask();
    if (answer !== false && answer !== null && answer !== undefined) {
      return answer as Exclude<T, false | null | undefined>;
    }
    assert.ok(performance.now() < deadline, `${what}: not within ${patienceMs / 1000} s`);
    await sleep(5);
  }
}
