import type { ApiClient } from '@replpool/kube';
import type { Logger } from 'pino';
import { authoritySecret, type Release } from '../specs/tls-secrets.ts';
import { dataOf, rotationOf } from './authority-secret.ts';
import { issueAuthority } from './issue.ts';
import type { Lifetimes } from './lifetimes.ts';
import { announced, bundleOf, nextStep, type Rotation } from './rotation.ts';
import { type ReadSecret, readSecret, writeSecret } from './secrets.ts';

/** Two operators at once, or one and a person; more often is no race. */
const TRIES = 10;

export interface AuthoritiesOptions extends Release {
  readonly client: ApiClient;
  readonly log: Logger;
  readonly lifetimes: Lifetimes;
}

/** The authorities of a release, as their Secret has them. */
export class Authorities {
  readonly #options: AuthoritiesOptions;
  /** As the Secret had it last, for the day on which somebody deletes it. */
  #rotation: Rotation | undefined;

  constructor(options: AuthoritiesOptions) {
    this.#options = options;
  }

  /**
   * Reads the Secret, makes it where it is not there, and brings the rotation on as far as it is due. All writers agree on what the Secret
   * holds: one that loses a race takes what the winner wrote.
   * @param isEverywhere whether every other Secret has this bundle
   * @throws ApiError, NoAnswerError
   */
  async keep(isEverywhere: (bundle: string) => boolean, signal: AbortSignal): Promise<Rotation> {
    const { client, lifetimes } = this.#options;
    const { metadata } = authoritySecret(this.#options);
    for (let i = 0; i < TRIES; i += 1) {
      const before = await readSecret(client, metadata, signal);
      const there = before && rotationOf(before.data);
      const now = Date.now();
      if (there === undefined) {
        const rotation = this.#rotation ?? { signer: await issueAuthority(now, lifetimes), retired: [] };
        await this.#write(before, rotation, 'there was none', signal);
        continue;
      }
      this.#rotation = there;
      const step = nextStep(there, { now, isEverywhere: isEverywhere(bundleOf(there)) }, lifetimes);
      if (step === undefined) return there;
      if (step.kind === 'become') await this.#write(before, step.rotation, 'a rotation goes on', signal);
      else {
        const next = await issueAuthority(now, lifetimes);
        await this.#write(before, announced(there, next), 'a successor is announced', signal);
      }
    }
    throw new Error(`the Secret ${metadata.name} is changed by somebody else all the time`);
  }

  async #write(before: ReadSecret | undefined, rotation: Rotation, why: string, signal: AbortSignal): Promise<void> {
    const { client, log } = this.#options;
    const secret = authoritySecret(this.#options);
    const isOurs = await writeSecret(client, before, secret, dataOf(rotation), signal);
    if (isOurs) log.info({ secret: secret.metadata.name, why }, 'wrote the authorities');
  }
}
