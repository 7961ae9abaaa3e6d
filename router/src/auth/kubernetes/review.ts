import { type ApiClient, classify } from '@replpool/kube';
import { z } from 'zod';

const answerSchema = z.object({ status: z.unknown() });
/** Callers wait for it. */
const TIMEOUT_MS = 3_000;

/**
 * One question to the API server, which it answers in the status of what it is sent, and stores nowhere.
 * @returns undefined where it does not even take the question, such as a token that no token can be: what was asked must not count as an outage
 * @throws ApiError, NoAnswerError, ZodError where there is no answer
 */
export async function review<S extends z.ZodType>(
  client: ApiClient,
  group: string,
  kind: 'TokenReview' | 'SubjectAccessReview',
  spec: object,
  status: S,
): Promise<z.output<S> | undefined> {
  try {
    const answer = await client.request({
      method: 'POST',
      path: `/apis/${group}/v1/${kind.toLowerCase()}s`,
      body: { apiVersion: `${group}/v1`, kind, spec },
      repeatable: true,
      timeoutMs: TIMEOUT_MS,
    });
    return status.parse(answerSchema.parse(answer).status);
  } catch (error) {
    if (classify(error) === 'Invalid') return undefined;
    throw error;
  }
}
