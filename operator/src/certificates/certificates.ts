import type { SecureContext } from 'node:tls';
import { type ApiClient, type Clock, type KubeObject, pause } from '@replpool/kube';
import { agentTlsName, OPERATOR_TLS_NAME, ROUTER_TLS_NAME, TLS_FILE_NAMES } from '@replpool/protocol';
import {
  type Backoff,
  backoffMs,
  type Expiry,
  expiryOf,
  secureContext,
  type TlsMaterial,
  type TlsSource,
} from '@replpool/service';
import { expectOwned, type Pool } from '../specs/owned.ts';
import { poolTlsSecret, type Release, routerTlsSecret, type TlsSecret } from '../specs/tls-secrets.ts';
import { Authorities, type AuthoritiesOptions } from './authorities.ts';
import { issueLeaf, type Subject } from './issue.ts';
import { whyToIssue } from './leaf.ts';
import { bundleOf, type Rotation } from './rotation.ts';
import { readSecret, type SecretData, writeSecret } from './secrets.ts';

const { cert: CERT, key: KEY, ca: CA } = TLS_FILE_NAMES;
const RETRY: Backoff = { firstMs: 200, longestMs: 10_000, jitter: 0.5 };
/** Somebody else may write a Secret as we do, once or twice. */
const TRIES = 5;

export interface CertificatesOptions extends AuthoritiesOptions, Release {
  readonly client: ApiClient;
  readonly clock: Clock;
  /** All that are to have a certificate; complete when `run` begins, for what it does not name is taken to need none. */
  pools(): Iterable<Pool>;
}

/**
 * Keeps what mTLS between routers, operators and agents needs: the authorities, the routers' Secret, a Secret a pool, and in memory the
 * certificate of this operator. All of it is looked at again and again, so nothing of it depends on an event.
 */
export class Certificates implements TlsSource {
  readonly #options: CertificatesOptions;
  readonly #authorities: Authorities;
  readonly #synced = Promise.withResolvers<void>();
  #rotation: Rotation | undefined;
  #own: TlsMaterial | undefined;
  #context: SecureContext | undefined;
  /** Which bundle the Secrets of pools have, by the pool's uid, and when that was seen. */
  #seen = new Map<string, { readonly bundle: string; readonly at: number }>();
  /** The bundle that all Secrets had when they were last looked at one after the other. */
  #everywhere: string | undefined;

  constructor(options: CertificatesOptions) {
    this.#options = options;
    this.#authorities = new Authorities(options);
    // Nobody needs to wait for it.
    this.#synced.promise.catch(() => {});
  }

  /** As which this operator speaks to agents. @throws Error before `synced` */
  get context(): SecureContext {
    if (this.#context === undefined) throw new Error('the operator has no certificate yet');
    return this.#context;
  }

  /** Of what it shows, and of the authority that signs. */
  expiries(): Expiry[] {
    const own = this.#own && expiryOf(this.#own.cert);
    const signer = this.#rotation && { name: 'ca', expiresAt: this.#rotation.signer.notAfter };
    return [own, signer].filter((each) => each !== undefined);
  }

  /** Resolves once certificates can be issued. Rejects where `run` ends before. */
  get synced(): Promise<void> {
    return this.#synced.promise;
  }

  /** Looks after all of it until the signal aborts. Without an API server it goes on with what it has. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, lifetimes, log } = this.#options;
    let failures = 0;
    while (!signal.aborted) {
      try {
        await this.#look(signal);
        failures = 0;
      } catch (err) {
        failures += 1;
        if (!signal.aborted) log.warn({ err, failures }, 'certificates could not be looked after');
      }
      await pause(clock, failures === 0 ? lifetimes.lookMs : backoffMs(failures - 1, RETRY), signal);
    }
    this.#synced.reject(signal.reason);
  }

  /** Returns once the Secret of a pool is there. Looks no more often than is needed. @throws ApiError, NoAnswerError, Error before `synced` */
  async ensure(pool: Pool, signal: AbortSignal): Promise<void> {
    const { clock, lifetimes } = this.#options;
    const seen = this.#seen.get(pool.uid);
    const isFresh = seen !== undefined && clock.now() - seen.at < lifetimes.lookMs;
    if (!isFresh || seen.bundle !== this.#bundle) await this.#keepPool(pool, signal);
  }

  async #look(signal: AbortSignal): Promise<void> {
    try {
      this.#rotation = await this.#authorities.keep((bundle) => bundle === this.#everywhere, signal);
    } finally {
      // What is known already signs for ourselves, with the API server gone too.
      await this.#keepOwn();
    }
    this.#synced.resolve();
    const bundle = this.#bundle;
    await this.#keepSecret(routerTlsSecret(this.#options), { name: ROUTER_TLS_NAME, usage: 'clientAuth' }, signal);
    const isEverywhere = await this.#keepPools(signal);
    this.#everywhere = isEverywhere ? bundle : undefined;
  }

  /** @returns whether none failed */
  async #keepPools(signal: AbortSignal): Promise<boolean> {
    const { log, pools } = this.#options;
    const there = [...pools()];
    const uids = new Set(there.map(({ uid }) => uid));
    this.#seen = new Map([...this.#seen].filter(([uid]) => uids.has(uid)));
    let failed = 0;
    for (const pool of there) {
      await this.#keepPool(pool, signal).catch((err: unknown) => {
        failed += 1;
        // One namespace that refuses it must not cost the others theirs.
        const { namespace, name } = pool;
        if (!signal.aborted) log.warn({ err, namespace, pool: name }, 'the certificate of a pool could not be kept');
      });
    }
    return failed === 0;
  }

  async #keepPool(pool: Pool, signal: AbortSignal): Promise<void> {
    const name = agentTlsName(`${pool.namespace}:${pool.name}`);
    const checkOwner = (there: KubeObject): void => expectOwned(pool, 'Secret', there);
    const bundle = await this.#keepSecret(poolTlsSecret(pool), { name, usage: 'serverAuth' }, signal, checkOwner);
    this.#seen.set(pool.uid, { bundle, at: this.#options.clock.now() });
  }

  /**
   * @param check throws where the Secret that is there is none of ours
   * @returns the bundle that the Secret has now
   */
  async #keepSecret(
    secret: TlsSecret,
    subject: Subject,
    signal: AbortSignal,
    check: (there: KubeObject) => void = () => {},
  ): Promise<string> {
    const { client, log } = this.#options;
    const { name, namespace } = secret.metadata;
    for (let i = 0; i < TRIES; i += 1) {
      const before = await readSecret(client, { name, namespace }, signal);
      if (before) check(before.object);
      const there = before && materialOf(before.data);
      const { material, why } = await this.#materialFor(subject, there);
      if (there?.ca === material.ca && why === undefined) return material.ca;
      if (await writeSecret(client, before, secret, dataOf(material), signal)) {
        log.info({ secret: name, namespace, why: why ?? 'its authorities are others' }, 'wrote a certificate');
        return material.ca;
      }
    }
    throw new Error(`the Secret ${namespace}/${name} is changed by somebody else all the time`);
  }

  async #keepOwn(): Promise<void> {
    if (this.#rotation === undefined) return;
    const { material } = await this.#materialFor({ name: OPERATOR_TLS_NAME, usage: 'clientAuth' }, this.#own);
    if (material.cert === this.#own?.cert && material.ca === this.#own.ca) return;
    this.#context = secureContext(material);
    this.#own = material;
  }

  /** What a subject is to have, which is what is there as far as that will do; `why` it does not. */
  async #materialFor(
    subject: Subject,
    there: TlsMaterial | undefined,
  ): Promise<{ material: TlsMaterial; why: string | undefined }> {
    const { lifetimes } = this.#options;
    const rotation = this.#rotation;
    if (rotation === undefined) throw new Error('there is no authority yet');
    const now = Date.now();
    const why = whyToIssue(there, subject, rotation.signer, now, lifetimes);
    const pair =
      there !== undefined && why === undefined ? there : await issueLeaf(subject, rotation.signer, now, lifetimes);
    return { material: { cert: pair.cert, key: pair.key, ca: bundleOf(rotation) }, why };
  }

  get #bundle(): string | undefined {
    return this.#rotation && bundleOf(this.#rotation);
  }
}

function materialOf(data: SecretData): TlsMaterial {
  return { cert: data[CERT] ?? '', key: data[KEY] ?? '', ca: data[CA] ?? '' };
}

function dataOf({ cert, key, ca }: TlsMaterial): SecretData {
  return { [CERT]: cert, [KEY]: key, [CA]: ca };
}
