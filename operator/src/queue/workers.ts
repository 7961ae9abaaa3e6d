import type { Logger } from 'pino';
import type { WorkQueue } from './work-queue.ts';

/** What a reconcile wants next: nothing, or to be called again after a time though nothing changed. */
export interface Reconciled {
  readonly againAfterMs?: number;
}

export type Reconcile = (key: string, signal: AbortSignal) => Promise<Reconciled>;

export interface WorkersOptions {
  readonly queue: WorkQueue;
  readonly workers: number;
  readonly reconcile: Reconcile;
  readonly log: Logger;
  /** Ends the workers: no further key is begun; what is in work gets the signal too and is waited for. */
  readonly signal: AbortSignal;
}

/** Works on the queue until the signal aborts. A reconcile that throws is tried again after its key's backoff. */
export async function runWorkers({ queue, workers, reconcile, log, signal }: WorkersOptions): Promise<void> {
  const close = (): void => queue[Symbol.dispose]();
  if (signal.aborted) close();
  signal.addEventListener('abort', close, { once: true });
  const work = async (): Promise<void> => {
    for (let key = await queue.next(); key !== undefined; key = await queue.next()) {
      try {
        const { againAfterMs } = await reconcile(key, signal);
        queue.forget(key);
        if (againAfterMs !== undefined) queue.addAfter(key, againAfterMs);
      } catch (error) {
        if (!signal.aborted) log.warn({ err: error, key, failures: queue.failures(key) + 1 }, 'reconcile failed');
        queue.addRateLimited(key);
      } finally {
        queue.done(key);
      }
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
  signal.removeEventListener('abort', close);
}
