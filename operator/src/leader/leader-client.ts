import type { KubeConfig } from '@kubernetes/client-node';
import { ApiClient, type RequestMetrics } from '@replpool/kube';
import { LeadershipLostError } from './election.ts';

/** A pool that asks for thousands of pods at once opens no more connections to the API server than these. */
const MAX_SOCKETS = 32;

export interface LeaderClientOptions {
  readonly userAgent: string;
  readonly metrics: RequestMetrics;
  /** Asked before each write: after a pause of this process its signals come later than what it had begun. */
  readonly isLeading: () => boolean;
}

/** The client of what a leader does: it reads at any time, and writes only while this process leads. */
export function leaderClient(config: KubeConfig, { userAgent, metrics, isLeading }: LeaderClientOptions): ApiClient {
  const beforeWrite = (): void => {
    if (!isLeading()) throw new LeadershipLostError('nothing is written by one who does not lead');
  };
  return new ApiClient(config, { userAgent, metrics, maxSockets: MAX_SOCKETS, beforeWrite });
}
