import { type ApiClient, classify, isRecord, pathOf, resources, toKubeObject } from '@replpool/kube';
import { microTime } from '../micro-time.ts';
import type { LeaseRecord } from './candidacy.ts';

export interface LeaseContent {
  readonly holder: string;
  readonly durationMs: number;
  readonly transitions: number;
  /** RFC 3339; undefined stands for now. */
  readonly acquireTime: string | undefined;
}

/** Reading and writing one Lease; writes are refused (409) if it changed since it was read. */
export interface LeaseStore {
  get(signal: AbortSignal): Promise<LeaseRecord | undefined>;
  create(content: LeaseContent, signal: AbortSignal): Promise<LeaseRecord>;
  update(content: LeaseContent, resourceVersion: string, signal: AbortSignal): Promise<LeaseRecord>;
}

/** The Lease in the API server. */
export function leaseStore(client: ApiClient, namespace: string, name: string): LeaseStore {
  const collection = pathOf(resources.leases, { namespace });
  const path = pathOf(resources.leases, { namespace, name });
  const bodyOf = (content: LeaseContent, resourceVersion?: string): unknown => {
    const now = microTime(new Date());
    return {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name, namespace, resourceVersion },
      spec: {
        holderIdentity: content.holder,
        leaseDurationSeconds: Math.max(1, Math.ceil(content.durationMs / 1000)),
        leaseTransitions: content.transitions,
        acquireTime: content.acquireTime ?? now,
        renewTime: now,
      },
    };
  };
  return {
    async get(signal) {
      try {
        return recordOf(await client.request({ path, signal }));
      } catch (error) {
        if (classify(error) === 'NotFound') return undefined;
        throw error;
      }
    },
    async create(content, signal) {
      return recordOf(await client.request({ method: 'POST', path: collection, body: bodyOf(content), signal }));
    },
    async update(content, resourceVersion, signal) {
      return recordOf(await client.request({ method: 'PUT', path, body: bodyOf(content, resourceVersion), signal }));
    },
  };
}

function recordOf(answer: unknown): LeaseRecord {
  const { metadata, spec } = toKubeObject(answer);
  const { holderIdentity, leaseDurationSeconds, leaseTransitions, acquireTime } = isRecord(spec) ? spec : {};
  return {
    holder: typeof holderIdentity === 'string' ? holderIdentity : '',
    durationMs: Number(leaseDurationSeconds ?? 0) * 1000,
    transitions: Number(leaseTransitions ?? 0),
    acquireTime: typeof acquireTime === 'string' ? acquireTime : undefined,
    resourceVersion: metadata.resourceVersion,
  };
}
