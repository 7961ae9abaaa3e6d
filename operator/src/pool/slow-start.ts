/** Pods are made in batches of 1, 2, 4, …: where the first cannot be made (quota, admission), not a hundred requests fail. */
export const FIRST_BATCH = 1;

/**
 * Makes `count` things in batches that double as long as all of a batch succeed.
 * @returns how many were made, and the error that stopped it
 */
export async function slowStart(count: number, make: () => Promise<void>): Promise<{ made: number; failed?: unknown }> {
  let made = 0;
  for (let batch = FIRST_BATCH; made < count; batch *= 2) {
    const results = await Promise.allSettled(Array.from({ length: Math.min(batch, count - made) }, () => make()));
    made += results.filter(({ status }) => status === 'fulfilled').length;
    const failed = results.find((result) => result.status === 'rejected');
    if (failed) return { made, failed: failed.reason };
  }
  return { made };
}
