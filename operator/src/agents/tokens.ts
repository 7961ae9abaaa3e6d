import { type ApiClient, classify, pathOf, resources } from '@replpool/kube';
import { z } from 'zod';
import { secretName } from '../specs/config-secret.ts';
import type { Pool } from '../specs/owned.ts';

const secretSchema = z.object({ data: z.object({ 'agent.json': z.base64() }) });
const tokenSchema = z.object({ token: z.string().min(1) });

/** The tokens of agents, by the revision that their pods are of. Secrets are read by name, never listed, and never change. */
export class Tokens {
  readonly #client: ApiClient;
  readonly #known = new Map<string, string>();

  constructor(client: ApiClient) {
    this.#client = client;
  }

  /** Undefined where the Secret is not there. @throws ApiError, NoAnswerError, ZodError */
  async of(pool: Pool, revision: string, signal: AbortSignal): Promise<string | undefined> {
    const name = secretName(pool, revision);
    const key = `${pool.uid}/${name}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const path = pathOf(resources.secrets, { namespace: pool.namespace, name });
    const secret = await this.#client.request({ path, signal }).catch((error: unknown) => {
      if (classify(error) === 'NotFound') return undefined;
      throw error;
    });
    if (secret === undefined) return undefined;
    const { data } = secretSchema.parse(secret);
    const { token } = tokenSchema.parse(JSON.parse(Buffer.from(data['agent.json'], 'base64').toString('utf8')));
    this.#known.set(key, token);
    return token;
  }
}
