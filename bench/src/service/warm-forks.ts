import { setTimeout as delay } from 'node:timers/promises';
import type { HttpClient } from '../client/http-client.ts';
import type { Service } from './service.ts';

/** Between creations: several times what a fork takes. Nothing tells a client when a warm fork is ready. */
const spacingMs = 100;
const askEveryMs = 20;

/** Waits as a calm client would, in which time the agents make up for the warm forks that were taken. */
export async function space(signal: AbortSignal): Promise<void> {
  await delay(spacingMs, undefined, { signal });
}

/** Creations so far, by whether a warm fork was there. */
export interface Acquisitions {
  readonly hits: number;
  readonly misses: number;
}

/** Resolves once the router has heard of at least `total` creations; agents tell it with a little delay. */
export async function acquisitions(
  http: HttpClient,
  service: Service,
  signal: AbortSignal,
  total = 0,
): Promise<Acquisitions> {
  for (;;) {
    const { hits, misses } = await http.pool(service.file.pool);
    if (hits + misses >= total) return { hits, misses };
    await delay(askEveryMs, undefined, { signal });
  }
}
