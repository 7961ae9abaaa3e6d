import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { isDeepStrictEqual } from 'node:util';
import {
  type Acquired,
  type AgentEndpoint,
  type AgentLinkMessage,
  INTERNAL_DRAIN_PATH,
  type TemplateFailure,
} from '@replpool/protocol';
import { AgentStream, requestAgent, type TlsSource } from '@replpool/service';
import type { Logger } from 'pino';
import type { PodLoad } from '../pool/pod-view.ts';

/** An answer to the order to drain; an agent that has it is as good as drained, so a short wait does. */
const DRAIN_MS = 5_000;

/** What an agent said of itself beside its load; it holds while the agent is not heard. */
export interface AgentSaid {
  readonly acquired?: Acquired | undefined;
  readonly failures: readonly TemplateFailure[];
}

interface Heard {
  readonly endpoint: AgentEndpoint;
  readonly stream: AgentStream;
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
   * @param changed called when an agent says something else; with the uid of its pod
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
        silent: () => this.#set(uid, undefined),
        refused: () => this.#set(uid, undefined),
        failed: (err) => {
          this.#log.debug({ err, pod: endpoint.pod }, 'the stream of an agent ended');
          this.#set(uid, undefined);
        },
      },
      { sessions: false, tls: this.#tls },
    );
    this.#heard.set(uid, { endpoint, stream, load: undefined, said: { failures: [] } });
  }

  /** The pod is gone. */
  forget(uid: string): void {
    this.#heard.get(uid)?.stream[Symbol.dispose]();
    this.#heard.delete(uid);
  }

  loadOf(uid: string): PodLoad | undefined {
    return this.#heard.get(uid)?.load;
  }

  saidOf(uid: string): AgentSaid {
    return this.#heard.get(uid)?.said ?? { failures: [] };
  }

  /**
   * Tells an agent to admit no new session.
   * @throws Error where it cannot be reached or does not answer so
   */
  async drain(uid: string, signal: AbortSignal): Promise<void> {
    const heard = this.#heard.get(uid);
    if (!heard) throw new Error('its agent has no address yet');
    const { endpoint } = heard;
    const within = AbortSignal.any([signal, AbortSignal.timeout(DRAIN_MS)]);
    const status = await post(endpoint, INTERNAL_DRAIN_PATH, this.#tls, within);
    if (status !== 200) throw new Error(`agent ${endpoint.pod} answered ${status} to the order to drain`);
  }

  [Symbol.dispose](): void {
    for (const uid of [...this.#heard.keys()]) this.forget(uid);
  }

  #message(uid: string, message: AgentLinkMessage): void {
    if (message.type !== 'snapshot' && message.type !== 'capacity') return;
    const heard = this.#heard.get(uid);
    if (!heard) return;
    const { capacity, draining, acquired, failures = [] } = message;
    const before = heard.said;
    heard.said = { acquired, failures };
    this.#set(uid, { sessions: capacity.active, busy: capacity.busy, warm: capacity.warm, draining });
    if (!isDeepStrictEqual(before, heard.said)) this.#changed(uid);
  }

  #set(uid: string, load: PodLoad | undefined): void {
    const heard = this.#heard.get(uid);
    if (!heard) return;
    const before = heard.load;
    heard.load = load;
    if (!isDeepStrictEqual(before, load)) this.#changed(uid);
  }
}

/** @returns the status of the answer; its body says nothing that the stream does not */
async function post(endpoint: AgentEndpoint, path: string, tls: TlsSource, signal: AbortSignal): Promise<number> {
  const request = requestAgent(endpoint, path, { method: 'POST', signal }, tls).end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  request.on('error', () => undefined);
  response.on('error', () => undefined).resume();
  return response.statusCode ?? 0;
}
