import type { ApiClient } from '@replpool/kube';
import { z } from 'zod';
import type { Verb } from '../caller.ts';
import { review } from './review.ts';
import type { Subject } from './subject.ts';

const statusSchema = z.object({ allowed: z.boolean(), denied: z.boolean().optional() });

/**
 * Whether RBAC lets the subject do this to the sessions of a pool.
 * @throws ApiError, NoAnswerError, ZodError
 */
export async function reviewAccess(client: ApiClient, subject: Subject, verb: Verb, pool: string): Promise<boolean> {
  const [namespace, name] = pool.split(':');
  // A pool of no cluster is nobody's: without a namespace it would be the right in all of them that is asked for.
  if (namespace === undefined || name === undefined) return false;
  const { username: user, uid, groups, extra } = subject;
  const resource = { group: 'replpool.dev', resource: 'replpools', subresource: 'sessions' };
  const spec = { user, uid, groups, extra, resourceAttributes: { ...resource, namespace, name, verb } };
  const status = await review(client, 'authorization.k8s.io', 'SubjectAccessReview', spec, statusSchema);
  return status?.allowed === true && status.denied !== true;
}
