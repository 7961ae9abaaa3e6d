import type { Clock } from '@replpool/kube';
import { ReplPoolError } from '@replpool/protocol';
import type { Logger } from 'pino';

/** While it is out, one question in this time finds out whether it is back. */
const TRY_MS = 1_000;

/** Whether the API server decides. While it does not, hardly anybody waits for it: those who can go on without do. */
export class Outage {
  readonly #clock: Clock;
  readonly #log: Logger;
  #cause: unknown;
  #isOn = false;
  #nextTry = 0;

  constructor(clock: Clock, log: Logger) {
    this.#clock = clock;
    this.#log = log;
  }

  get isOn(): boolean {
    return this.#isOn;
  }

  /** Whether a question may be asked now. One that may counts as asked. */
  mayAsk(): boolean {
    if (!this.#isOn) return true;
    const now = this.#clock.now();
    if (now < this.#nextTry) return false;
    this.#nextTry = now + TRY_MS;
    return true;
  }

  answered(): void {
    if (this.#isOn) this.#log.info('the API server decides again who may do what');
    this.#isOn = false;
  }

  failed(cause: unknown): ReplPoolError {
    if (!this.#isOn) this.#log.error({ err: cause }, 'the API server does not decide who may do what');
    this.#isOn = true;
    this.#cause = cause;
    this.#nextTry = this.#clock.now() + TRY_MS;
    return this.error;
  }

  get error(): ReplPoolError {
    return new ReplPoolError('AGENT_UNAVAILABLE', 'the API server does not say who the caller is or what they may do', {
      why: 'Tokens and rights are checked by the API server of Kubernetes; what it allowed before holds for ten minutes without it.',
      how: 'Retry; if it stays, look whether the API server is reachable, and whether routers may create token and access reviews.',
      cause: this.#cause,
    });
  }
}
