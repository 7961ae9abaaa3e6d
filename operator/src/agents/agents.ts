import { type AgentEndpoint, type AgentLinkMessage, INTERNAL_DRAIN_PATH } from '@replpool/protocol';
import { AgentStream } from '@replpool/service';
import type { Logger } from 'pino';
import type { PodLoad } from '../pool/pod-view.ts';

/** An answer to the order to drain; an agent that has it is as good as drained, so a short wait does. */
const DRAIN_MS = 5_000;

interface Heard {
  readonly endpoint: AgentEndpoint;
  readonly stream: AgentStream;
  load: PodLoad | undefined;
  draining: boolean;
}

/**
 * What the agents say of their sessions, by one stream to each: counters alone. An agent that is not heard has no load, and the planner takes
 * that for busy.
 */
export class Agents implements Disposable {
  readonly #log: Logger;
  readonly #changed: (uid: string) => void;
  readonly #heard = new Map<string, Heard>();

  /** @param changed called when a pod's load is another; with the pod's uid */
  constructor(log: Logger, changed: (uid: string) => void) {
    this.#log = log;
    this.#changed = changed;
  }

  /** Listens to a pod's agent from now on; again with the same endpoint it changes nothing. */
  listen(uid: string, endpoint: AgentEndpoint): void {
    if (this.#heard.get(uid)?.endpoint.url === endpoint.url) return;
    this.forget(uid);
    const stream = new AgentStream(
      endpoint,
      {
        connecting: () => undefined,
        message: (message) => this.#message(uid, message),
        silent: () => this.#set(uid, undefined),
        refused: () => this.#set(uid, undefined),
        failed: (err) => {
          this.#log.debug({ err, pod: endpoint.pod }, 'the stream of an agent ended');
          this.#set(uid, undefined);
        },
      },
      { sessions: false },
    );
    this.#heard.set(uid, { endpoint, stream, load: undefined, draining: false });
  }

  /** The pod is gone. */
  forget(uid: string): void {
    this.#heard.get(uid)?.stream[Symbol.dispose]();
    this.#heard.delete(uid);
  }

  loadOf(uid: string): PodLoad | undefined {
    return this.#heard.get(uid)?.load;
  }

  /** Whether the agent said that it admits no new session. */
  isDraining(uid: string): boolean {
    return this.#heard.get(uid)?.draining ?? false;
  }

  /**
   * Tells an agent to admit no new session.
   * @throws Error where it cannot be reached or does not answer so
   */
  async drain(uid: string): Promise<void> {
    const heard = this.#heard.get(uid);
    if (!heard) throw new Error('its agent has no address yet');
    const { url, token, pod } = heard.endpoint;
    const response = await fetch(new URL(INTERNAL_DRAIN_PATH, url), {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(DRAIN_MS),
    });
    await response.body?.cancel();
    if (!response.ok) throw new Error(`agent ${pod} answered ${response.status} to the order to drain`);
  }

  [Symbol.dispose](): void {
    for (const uid of [...this.#heard.keys()]) this.forget(uid);
  }

  #message(uid: string, message: AgentLinkMessage): void {
    if (message.type !== 'snapshot' && message.type !== 'capacity') return;
    const heard = this.#heard.get(uid);
    if (heard) heard.draining = message.draining;
    const { active, busy, warm } = message.capacity;
    this.#set(uid, { sessions: active, busy, warm });
  }

  #set(uid: string, load: PodLoad | undefined): void {
    const heard = this.#heard.get(uid);
    if (!heard) return;
    const before = heard.load;
    heard.load = load;
    const isSame = before?.sessions === load?.sessions && before?.busy === load?.busy && before?.warm === load?.warm;
    if (!isSame) this.#changed(uid);
  }
}
