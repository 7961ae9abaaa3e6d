import type { IncomingHttpHeaders } from 'node:http';
import { type ApiClient, type Clock, systemClock } from '@replpool/kube';
import { ReplPoolError } from '@replpool/protocol';
import type { Logger } from 'pino';
import { type Awaitable, after } from '../../awaitable.ts';
import { MAX_SOCKETS } from '../../cluster.ts';
import type { Authenticator } from '../authenticator.ts';
import { bearerOf, digestOf, noToken } from '../bearer.ts';
import type { Caller, Rights, Verb } from '../caller.ts';
import { reviewAccess } from './access-review.ts';
import { Bulkhead } from './bulkhead.ts';
import { Decisions, type Yes } from './decisions.ts';
import { Outage } from './outage.ts';
import type { Subject } from './subject.ts';
import { reviewToken } from './token-review.ts';

const YES = { value: true } as const;
/** Anybody can send tokens that nobody has: they get half of the connections at most, so that those who are let in never wait for theirs. */
const NEWCOMERS_AT_ONCE = MAX_SOCKETS / 2;
/** A router that starts knows no token; as many as this wait, which at 10 ms a review is under a second. */
const NEWCOMERS_WAITING = 1_000;

/** Mode `kubernetes`: callers by TokenReview, rights by SubjectAccessReview (docs/decisions/0014-rights-in-a-cluster.md). */
export class KubernetesAuthenticator implements Authenticator {
  readonly ready = true;
  readonly #client: ApiClient;
  readonly #audiences: readonly string[];
  readonly #callers: Decisions<Caller>;
  readonly #rights: Decisions<true>;

  constructor(client: ApiClient, audiences: readonly string[], log: Logger, clock: Clock = systemClock) {
    this.#client = client;
    this.#audiences = audiences;
    const outage = new Outage(clock, log);
    this.#callers = new Decisions(clock, outage, new Bulkhead(NEWCOMERS_AT_ONCE, NEWCOMERS_WAITING));
    this.#rights = new Decisions(clock, outage);
  }

  authenticate(headers: IncomingHttpHeaders): Awaitable<Caller | ReplPoolError> {
    const token = bearerOf(headers);
    if (token === undefined) return noToken('token');
    const caller = this.#callers.decide(digestOf(token), () => this.#review(token));
    return after(caller, (known) => known ?? this.#unknown());
  }

  [Symbol.dispose](): void {}

  async #review(token: string): Promise<Yes<Caller> | undefined> {
    const reviewed = await reviewToken(this.#client, token, this.#audiences);
    if (reviewed === undefined) return undefined;
    const { value: subject, expiresAt } = reviewed;
    return { value: { name: subject.username, rights: this.#rightsOf(subject) }, expiresAt };
  }

  #rightsOf(subject: Subject): Rights {
    const who = digestOf(JSON.stringify(subject));
    const ask = async (verb: Verb, pool: string) =>
      (await reviewAccess(this.#client, subject, verb, pool)) ? YES : undefined;
    return {
      may: (verb, pool) => {
        const decided = this.#rights.decide(`${who} ${verb} ${pool}`, () => ask(verb, pool));
        return after(decided, (yes) => yes === true);
      },
    };
  }

  #unknown(): ReplPoolError {
    return new ReplPoolError(
      'UNAUTHENTICATED',
      'the API server knows nobody by this token, or it is made out to others',
      {
        how: `Send a token that is made out to ${this.#audiences.join(' or ')}, such as of kubectl create token --audience.`,
      },
    );
  }
}
