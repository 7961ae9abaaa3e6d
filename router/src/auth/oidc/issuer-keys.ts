import { type Clock, pause, systemClock } from '@replpool/kube';
import { issuerMetadataSchema, ReplPoolError } from '@replpool/protocol';
import { type Backoff, backoffMs } from '@replpool/service';
import { createRemoteJWKSet, errors, type JWTVerifyGetKey, type RemoteJWKSet } from 'jose';
import type { Logger } from 'pino';

/** So often the keys are fetched anew, so that one that the issuer took back is trusted no longer. */
const REFRESH_MS = 300_000;
const TIMEOUT_MS = 5_000;
/** A key that is not known is looked for at most so often, however many tokens name one. */
const COOLDOWN_MS = 5_000;
const RETRY: Backoff = { firstMs: 500, longestMs: 30_000, jitter: 0.5 };

export interface IssuerKeysOptions {
  readonly issuer: string;
  readonly log: Logger;
  readonly cooldownMs?: number;
  readonly clock?: Clock;
}

/** The public keys of an issuer, as its discovery document says where they are. Those that are known serve on while the issuer is gone. */
export class IssuerKeys implements Disposable {
  readonly #options: IssuerKeysOptions;
  readonly #clock: Clock;
  readonly #stop = new AbortController();
  #keys: RemoteJWKSet | undefined;
  #uri = '';
  #failures = 0;

  constructor(options: IssuerKeysOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    void this.#run();
  }

  /** Whether they were fetched once. */
  get known(): boolean {
    return this.#keys !== undefined;
  }

  /**
   * The key that a token names.
   * @throws errors.JOSEError where it names none of the issuer's
   * @throws ReplPoolError AGENT_UNAVAILABLE where the issuer's keys cannot be had
   */
  readonly keyOf: JWTVerifyGetKey = async (header, token) => {
    if (this.#keys === undefined) throw unavailable(this.#options.issuer);
    try {
      return await this.#keys(header, token);
    } catch (error) {
      if (isVerdict(error)) throw error;
      throw unavailable(this.#options.issuer, error);
    }
  };

  [Symbol.dispose](): void {
    this.#stop.abort();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const isDone = await this.#fetch();
      if (signal.aborted) return;
      await pause(this.#clock, isDone ? REFRESH_MS : backoffMs(this.#failures - 1, RETRY), signal);
    }
  }

  /** Never rejects. @returns whether there are fresh keys */
  async #fetch(): Promise<boolean> {
    const { issuer, log } = this.#options;
    try {
      const uri = await this.#jwksUri();
      const keys = uri === this.#uri && this.#keys !== undefined ? this.#keys : this.#remote(uri);
      await keys.reload();
      if (this.#failures > 0 || this.#keys === undefined) log.info({ issuer }, 'the issuer’s keys are known');
      this.#keys = keys;
      this.#uri = uri;
      this.#failures = 0;
      return true;
    } catch (err) {
      if (this.#failures === 0) log.error({ err, issuer, known: this.known }, 'the issuer’s keys cannot be fetched');
      this.#failures += 1;
      return false;
    }
  }

  async #jwksUri(): Promise<string> {
    const { issuer } = this.#options;
    const response = await fetch(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, {
      redirect: 'error',
      signal: AbortSignal.any([this.#stop.signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    if (!response.ok) throw new Error(`the issuer answered ${response.status} to its discovery document`);
    const metadata = issuerMetadataSchema.parse(await response.json());
    if (metadata.issuer !== issuer)
      throw new Error(`the discovery document is of ${metadata.issuer}, not of ${issuer}`);
    return metadata.jwks_uri;
  }

  #remote(uri: string): RemoteJWKSet {
    const { cooldownMs = COOLDOWN_MS } = this.#options;
    // We fetch them by the clock ourselves, for jose refuses keys that are older than it likes, also when the issuer is gone.
    const cacheMaxAge = Number.POSITIVE_INFINITY;
    return createRemoteJWKSet(new URL(uri), { cooldownDuration: cooldownMs, timeoutDuration: TIMEOUT_MS, cacheMaxAge });
  }
}

/** Said of the token by keys that are there; all else is that they could not be fetched. */
function isVerdict(error: unknown): boolean {
  return (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSENotSupported
  );
}

function unavailable(issuer: string, cause?: unknown): ReplPoolError {
  return new ReplPoolError('AGENT_UNAVAILABLE', `the keys of the issuer ${issuer} cannot be fetched`, {
    why: 'The token may be good, but the key that it names is not known here, and the issuer does not answer.',
    how: 'Retry; if it stays, look whether routers reach the issuer.',
    cause,
  });
}
