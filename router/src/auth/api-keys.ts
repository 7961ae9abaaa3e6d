import { hash, timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { IncomingHttpHeaders } from 'node:http';
import { type ApiKey, type ApiKeysConfig, apiKeysSchema, parse, ReplPoolError } from '@replpool/protocol';
import { Followed } from '@replpool/service';
import type { Logger } from 'pino';
import type { Authenticator } from './authenticator.ts';
import { bearerOf, noToken } from './bearer.ts';
import { ALL, type Caller, OWN } from './caller.ts';

interface KnownKey {
  readonly digest: Buffer;
  readonly caller: Caller;
}

/** Mode `apiKeys`: a list of hashes, from the configuration or from a file. */
export class ApiKeys implements Authenticator {
  readonly ready = true;
  #keys: readonly KnownKey[] = [];
  #file: Followed<readonly ApiKey[]> | undefined;

  /** @throws Error where the file is not there, or holds no keys */
  static async open({ keys, keysFile }: ApiKeysConfig, log: Logger, lookMs?: number): Promise<ApiKeys> {
    const it = new ApiKeys();
    it.#take(keys ?? []);
    if (keysFile !== undefined) await it.#follow(keysFile, log, lookMs);
    return it;
  }

  authenticate(headers: IncomingHttpHeaders): Caller | ReplPoolError {
    const token = bearerOf(headers);
    if (token === undefined) return noToken('API key');
    const digest = hash('sha256', token, 'buffer');
    let found: Caller | undefined;
    // Every key is compared, so that the time says nothing about which one was near.
    for (const key of this.#keys) if (timingSafeEqual(key.digest, digest)) found = key.caller;
    return found ?? new ReplPoolError('UNAUTHENTICATED', 'the API key is not known');
  }

  [Symbol.dispose](): void {
    this.#file?.[Symbol.dispose]();
  }

  #take(keys: readonly ApiKey[]): void {
    this.#keys = keys.map(({ name, sha256, admin }) => ({
      digest: Buffer.from(sha256, 'hex'),
      caller: { name, rights: admin === true ? ALL : OWN },
    }));
  }

  async #follow(path: string, log: Logger, lookMs: number | undefined): Promise<void> {
    this.#file = await Followed.open<readonly ApiKey[]>({
      read: async () => parse(apiKeysSchema, JSON.parse(await readFile(path, 'utf8')), path),
      isSame: (before, now) => JSON.stringify(before) === JSON.stringify(now),
      changed: (keys) => {
        this.#take(keys);
        log.info({ keys: keys.length }, 'the API keys changed');
      },
      failed: (err) => log.error({ err }, 'the file of API keys is of no use, those read before stay'),
      ...(lookMs !== undefined && { lookMs }),
    });
    this.#take(this.#file.value);
  }
}
