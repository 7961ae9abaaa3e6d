import type { ApiClient } from '@replpool/kube';
import { decodeJwt } from 'jose';
import { z } from 'zod';
import type { Yes } from './decisions.ts';
import { review } from './review.ts';
import { type Subject, subjectSchema } from './subject.ts';

const statusSchema = z.object({
  authenticated: z.boolean().optional(),
  user: z.unknown().optional(),
  audiences: z.array(z.string()).optional(),
});

/**
 * Whose token it is; undefined: nobody's, or not made out to one of the audiences.
 * @throws ApiError, NoAnswerError, ZodError
 */
export async function reviewToken(
  client: ApiClient,
  token: string,
  audiences: readonly string[],
): Promise<Yes<Subject> | undefined> {
  const spec = { token, audiences };
  const status = await review(client, 'authentication.k8s.io', 'TokenReview', spec, statusSchema);
  if (status?.authenticated !== true) return undefined;
  // A server that knows nothing of audiences authenticates without naming any (TokenReviewStatus.audiences).
  if (!audiences.some((audience) => status.audiences?.includes(audience))) return undefined;
  const subject = subjectSchema.safeParse(status.user);
  return subject.success ? { value: subject.data, expiresAt: expiryOf(token) } : undefined;
}

/** When a token ends that the API server has verified; undefined for one that is no JWT, or has no end. */
function expiryOf(token: string): number | undefined {
  try {
    const { exp } = decodeJwt(token);
    return exp === undefined ? undefined : exp * 1000;
  } catch {
    return undefined;
  }
}
