/** What is awaited, or a rejection with the signal's reason. */
export async function unlessAborted<T>({ promise, reject }: PromiseWithResolvers<T>, signal: AbortSignal): Promise<T> {
  const abort = (): void => reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await promise;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
