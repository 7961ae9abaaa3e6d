import type { Logger } from 'pino';
import type { ReconcileMetrics } from './reconcile-metrics.ts';
import type { WorkQueue } from './work-queue.ts';

/** What a reconcile wants next: nothing, or to be called again. */
export interface Reconciled {
  /** Called again after this time though nothing changed. */
  readonly againAfterMs?: number;
  /** Why it is called again after its key's backoff: it did all that it could, and that was not all. */
  readonly failed?: string;
}

export type Reconcile = (key: string, signal: AbortSignal) => Promise<Reconciled>;

export interface WorkersOptions {
  readonly queue: WorkQueue;
  readonly workers: number;
  readonly reconcile: Reconcile;
  readonly metrics: ReconcileMetrics;
  readonly log: Logger;
  /** Ends the workers: no further key is begun; what is in work gets the signal too and is waited for. */
  readonly signal: AbortSignal;
}

/** Works on the queue until the signal aborts. A reconcile that throws is tried again after its key's backoff. */
export async function runWorkers(options: WorkersOptions): Promise<void> {
  const { queue, workers, metrics, signal } = options;
  const close = (): void => queue[Symbol.dispose]();
  if (signal.aborted) close();
  signal.addEventListener('abort', close, { once: true });
  metrics.begun(queue.name, workers);
  await Promise.all(Array.from({ length: workers }, () => work(options)));
  signal.removeEventListener('abort', close);
}

async function work(options: WorkersOptions): Promise<void> {
  const { queue } = options;
  for (let key = await queue.next(); key !== undefined; key = await queue.next()) {
    await once(key, options);
    queue.done(key);
  }
}

async function once(key: string, { queue, reconcile, metrics, log, signal }: WorkersOptions): Promise<void> {
  const ended = metrics.observe(queue.name);
  const failed = (err: unknown): void => {
    if (!signal.aborted) log.warn({ err, key, failures: queue.failures(key) + 1 }, 'reconcile failed');
    queue.addRateLimited(key);
    ended('error');
  };
  try {
    const { againAfterMs, failed: why } = await reconcile(key, signal);
    if (againAfterMs !== undefined) queue.addAfter(key, againAfterMs);
    if (why !== undefined) {
      failed(why);
      return;
    }
    queue.forget(key);
    ended(againAfterMs === undefined ? 'success' : 'requeue_after');
  } catch (error) {
    failed(error);
  }
}
