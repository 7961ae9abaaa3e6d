import type { IncomingHttpHeaders } from 'node:http';
import { type OidcConfig, ReplPoolError } from '@replpool/protocol';
import { errors, type JWTPayload, jwtVerify } from 'jose';
import type { Logger } from 'pino';
import type { Awaitable } from '../../awaitable.ts';
import { Lru } from '../../lru.ts';
import type { Authenticator } from '../authenticator.ts';
import { bearerOf, digestOf, noToken } from '../bearer.ts';
import type { Caller } from '../caller.ts';
import { callerOf } from './claims.ts';
import { IssuerKeys } from './issuer-keys.ts';

/** Clocks of issuer and router may differ by so much. */
const TOLERANCE_SECONDS = 5;
/** A signature is not checked again for so long. */
const FRESH_MS = 10_000;
const LIMIT = 10_000;

interface Verified {
  readonly caller: Caller;
  /** On the clock of `Date.now()`. */
  readonly until: number;
}

/** Mode `oidc`: tokens that an issuer signed, verified here with its public keys. */
export class Oidc implements Authenticator {
  readonly #config: OidcConfig;
  readonly #keys: IssuerKeys;
  readonly #verified = new Lru<Verified>(LIMIT);

  constructor(config: OidcConfig, log: Logger, cooldownMs?: number) {
    this.#config = config;
    this.#keys = new IssuerKeys({ issuer: config.issuer, log, ...(cooldownMs !== undefined && { cooldownMs }) });
  }

  get ready(): boolean {
    return this.#keys.known;
  }

  authenticate(headers: IncomingHttpHeaders): Awaitable<Caller | ReplPoolError> {
    const token = bearerOf(headers);
    if (token === undefined) return noToken('token');
    const key = digestOf(token);
    const before = this.#verified.get(key);
    return before !== undefined && Date.now() < before.until ? before.caller : this.#verify(token, key);
  }

  [Symbol.dispose](): void {
    this.#keys[Symbol.dispose]();
  }

  async #verify(token: string, key: string): Promise<Caller | ReplPoolError> {
    const claims = await this.#claimsOf(token);
    const caller = claims instanceof ReplPoolError ? claims : callerOf(claims, this.#config);
    if (caller instanceof ReplPoolError || claims instanceof ReplPoolError) {
      this.#verified.delete(key);
      return caller;
    }
    const ends = ((claims.exp ?? 0) + TOLERANCE_SECONDS) * 1000;
    this.#verified.set(key, { caller, until: Math.min(ends, Date.now() + FRESH_MS) });
    return caller;
  }

  async #claimsOf(token: string): Promise<JWTPayload | ReplPoolError> {
    const { issuer, audience, algorithms } = this.#config;
    try {
      const { payload } = await jwtVerify(token, this.#keys.keyOf, {
        ...{ issuer, audience, algorithms, clockTolerance: TOLERANCE_SECONDS },
        requiredClaims: ['exp'],
      });
      return payload;
    } catch (cause) {
      if (!(cause instanceof errors.JOSEError)) throw cause;
      // Its text names the claim or the algorithm, never the token.
      return new ReplPoolError('UNAUTHENTICATED', `the token is not good: ${cause.message}`, { cause });
    }
  }
}
