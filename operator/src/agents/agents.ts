import { isDeepStrictEqual } from 'node:util';
import type { Acquired, AgentEndpoint, AgentIsolation, AgentLinkMessage, TemplateFailure } from '@replpool/protocol';
import { AgentStream, type TlsSource } from '@replpool/service';
import type { Logger } from 'pino';
import type { PodLoad } from '../pool/pod-view.ts';
import { orderDrain } from './order-drain.ts';

/** Who only counts hears from an agent every five seconds; two of these may be late. */
const SILENCE_MS = 12_000;

/** What an agent said of itself beside its load; it holds while the agent is not heard. */
export interface AgentSaid {
  readonly acquired?: Acquired | undefined;
  readonly failures: readonly TemplateFailure[];
  readonly isolation?: AgentIsolation | undefined;
}

interface Heard {
  readonly endpoint: AgentEndpoint;
  readonly stream: AgentStream;
  readonly forgotten: AbortController;
  /** Whether an order to drain is under way. */
  ordered: boolean;
  /** Whether it is the agent of that pod who is heard: an address is given to another pod while the API server still tells of the one before. */
  isIt: boolean;
  load: PodLoad | undefined;
  said: AgentSaid;
}

/**
 * What the agents say of their sessions, by one stream to each: counters alone. An agent that is not heard has no load, and the planner takes
 * that for busy.
 */
export class Agents implements Disposable {
  readonly #log: Logger;
  readonly #tls: TlsSource;
  readonly #changed: (uid: string) => void;
  readonly #heard = new Map<string, Heard>();

  /**
   * @param tls as whom agents are spoken to
   * @param changed called when an agent says something else, and at the end of an order to it; with the uid of its pod
   */
  constructor(log: Logger, tls: TlsSource, changed: (uid: string) => void) {
    this.#log = log;
    this.#tls = tls;
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
        silent: () => this.#unheard(uid),
        refused: () => this.#unheard(uid),
        failed: (err) => {
          this.#log.debug({ err, pod: endpoint.pod }, 'the stream of an agent ended');
          this.#unheard(uid);
        },
      },
      { sessions: false, silenceMs: SILENCE_MS, tls: this.#tls },
    );
    const heard = { endpoint, stream, forgotten: new AbortController(), ordered: false };
    this.#heard.set(uid, { ...heard, isIt: false, load: undefined, said: { failures: [] } });
  }

  /** The pod is gone. */
  forget(uid: string): void {
    const heard = this.#heard.get(uid);
    heard?.stream[Symbol.dispose]();
    heard?.forgotten.abort();
    this.#heard.delete(uid);
  }

  loadOf(uid: string): PodLoad | undefined {
    return this.#heard.get(uid)?.load;
  }

  saidOf(uid: string): AgentSaid {
    return this.#heard.get(uid)?.said ?? { failures: [] };
  }

  /**
   * Orders an agent to admit no new session. The order goes its own way, one at a time to each, for an agent that stalls must hold up no
   * pool; whether it came is seen by what the agent says of itself.
   */
  drain(uid: string): void {
    const heard = this.#heard.get(uid);
    if (!heard || heard.ordered) return;
    heard.ordered = true;
    void this.#order(uid, heard);
  }

  [Symbol.dispose](): void {
    for (const uid of [...this.#heard.keys()]) this.forget(uid);
  }

  async #order(uid: string, heard: Heard): Promise<void> {
    const { endpoint, forgotten } = heard;
    try {
      await orderDrain(endpoint, this.#tls, forgotten.signal);
    } catch (err) {
      if (!forgotten.signal.aborted) this.#log.warn({ err, pod: endpoint.pod }, 'an agent could not be told to drain');
    }
    heard.ordered = false;
    if (!forgotten.signal.aborted) this.#changed(uid);
  }

  #message(uid: string, message: AgentLinkMessage): void {
    if (message.type !== 'snapshot' && message.type !== 'capacity') return;
    const heard = this.#heard.get(uid);
    if (!heard) return;
    if (message.type === 'snapshot') {
      const { endpoint } = heard;
      const { pod, pool } = message;
      heard.isIt = pod === endpoint.pod && pool === endpoint.pool;
      if (!heard.isIt) {
        this.#log.warn({ pod: endpoint.pod, found: { pod, pool } }, 'another pod answers at the address of an agent');
        this.#unheard(uid);
      }
    }
    if (!heard.isIt) return;
    const { capacity, draining, acquired, failures = [] } = message;
    const before = heard.said;
    const isolation = message.type === 'snapshot' ? message.isolation : before.isolation;
    heard.said = { acquired, failures, isolation };
    this.#set(uid, { sessions: capacity.active, busy: capacity.busy, warm: capacity.warm, draining });
    if (!isDeepStrictEqual(before, heard.said)) this.#changed(uid);
  }

  /** What is said next counts only after the agent told who it is. */
  #unheard(uid: string): void {
    const heard = this.#heard.get(uid);
    if (heard) heard.isIt = false;
    this.#set(uid, undefined);
  }

  #set(uid: string, load: PodLoad | undefined): void {
    const heard = this.#heard.get(uid);
    if (!heard) return;
    const before = heard.load;
    heard.load = load;
    if (!isDeepStrictEqual(before, load)) this.#changed(uid);
  }
}
