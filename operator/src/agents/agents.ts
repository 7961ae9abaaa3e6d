import type { AgentEndpoint, AgentLinkMessage } from '@replpool/protocol';
import { AgentStream, type TlsSource } from '@replpool/service';
import type { Logger } from 'pino';
import type { PodLoad } from '../pool/pod-view.ts';
import { askAgent } from './ask-agent.ts';
import { type AgentSaid, HeardAgent } from './heard-agent.ts';
import { orderDrain } from './order-drain.ts';

export interface AgentsOptions {
  readonly log: Logger;
  /** As whom agents are spoken to. */
  readonly tls: TlsSource;
  /** Called when there is something new of an agent, and at the end of an order to it; with the uid of its pod. */
  readonly changed: (uid: string) => void;
  /**
   * To so many agents a stream is held; one takes some 90 KiB, nearly all of it OpenSSL's and Node.js's outside of the heap. The others are
   * asked in turn.
   */
  readonly streams?: number;
  /** So many are asked in a second, which takes two milliseconds of a core each; and each of them no more often than every five seconds. */
  readonly asksPerSecond?: number;
}

const STREAMS = 250;
const ASKS_PER_SECOND = 50;
const ASKED_AGAIN_MS = 5_000;
/** Who only counts hears from an agent every five seconds; two of these may be late. */
const SILENCE_MS = 12_000;

interface Known {
  readonly heard: HeardAgent;
  readonly forgotten: AbortController;
  /** Whether somebody is about to choose among agents, and this one is among them. */
  isNeeded: boolean;
  stream: AgentStream | undefined;
  /** When it was asked last, of those without a stream. */
  askedAt: number;
  isAsked: boolean;
  /** Whether an order to drain is under way. */
  isOrdered: boolean;
}

/**
 * What the agents say of their sessions: counters alone. As many as there may be streams are heard all the time, first those that are needed;
 * the others now and then. An agent that is not heard has no load, and the planner takes that for busy.
 */
export class Agents implements Disposable {
  readonly #options: AgentsOptions;
  readonly #streams: number;
  readonly #known = new Map<string, Known>();
  /** Those with a stream that nobody needs. */
  readonly #spare = new Set<string>();
  /** Those without one, who waits longest first. */
  readonly #needed = new Set<string>();
  readonly #others = new Set<string>();
  /** Runs while there is anybody to ask. */
  #turns: NodeJS.Timeout | undefined;
  #open = 0;

  constructor(options: AgentsOptions) {
    this.#options = options;
    this.#streams = options.streams ?? STREAMS;
  }

  /**
   * Listens to a pod's agent from now on, or goes on so.
   * @param isNeeded whether its load is to be known at each moment
   */
  listen(uid: string, endpoint: AgentEndpoint, isNeeded: boolean): void {
    const known = this.#of(uid, endpoint);
    if (isNeeded && !known.isNeeded && known.stream === undefined) known.heard.await();
    known.isNeeded = isNeeded;
    if (known.stream === undefined && (this.#open < this.#streams || (isNeeded && this.#closeSpare()))) {
      this.#openStream(uid, known);
    }
    this.#sort(uid, known);
  }

  /** The pod is gone. */
  forget(uid: string): void {
    const known = this.#known.get(uid);
    if (!known) return;
    this.#known.delete(uid);
    for (const each of [this.#spare, this.#needed, this.#others]) each.delete(uid);
    if (known.stream) this.#closeStream(known);
    known.heard[Symbol.dispose]();
    known.forgotten.abort();
  }

  loadOf(uid: string): PodLoad | undefined {
    return this.#known.get(uid)?.heard.load;
  }

  /** What its load is may show in a moment: who would choose it for what is known now had better wait. */
  isAwaited(uid: string): boolean {
    return this.#known.get(uid)?.heard.isAwaited ?? false;
  }

  saidOf(uid: string): AgentSaid {
    return this.#known.get(uid)?.heard.said ?? { failures: [] };
  }

  /**
   * Orders an agent to admit no new session. The order goes its own way, one at a time to each, for an agent that stalls must hold up no
   * pool; whether it came is seen by what the agent says of itself.
   */
  drain(uid: string): void {
    const known = this.#known.get(uid);
    if (!known || known.isOrdered) return;
    known.isOrdered = true;
    void this.#order(uid, known);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#turns);
    for (const uid of [...this.#known.keys()]) this.forget(uid);
  }

  #of(uid: string, endpoint: AgentEndpoint): Known {
    const known = this.#known.get(uid);
    if (known?.heard.endpoint.url === endpoint.url) return known;
    this.forget(uid);
    const heard = new HeardAgent(endpoint, SILENCE_MS, () => this.#options.changed(uid));
    heard.await();
    const forgotten = new AbortController();
    const added: Known = {
      ...{ heard, forgotten, isNeeded: false, stream: undefined },
      ...{ askedAt: -Infinity, isAsked: false, isOrdered: false },
    };
    this.#known.set(uid, added);
    return added;
  }

  #openStream(uid: string, known: Known): void {
    const { log, tls } = this.#options;
    const { heard } = known;
    this.#open += 1;
    known.stream = new AgentStream(
      heard.endpoint,
      {
        connecting: () => undefined,
        message: (message) => this.#hear(heard, message),
        silent: () => heard.unheard(),
        refused: () => heard.unheard(),
        failed: (err) => {
          log.debug({ err, uid, pod: heard.endpoint.pod }, 'the stream of an agent ended');
          heard.unheard();
        },
      },
      { sessions: false, silenceMs: SILENCE_MS, tls },
    );
  }

  #closeStream(known: Known): void {
    known.stream?.[Symbol.dispose]();
    known.stream = undefined;
    this.#open -= 1;
  }

  /** Makes room for a stream that is needed. @returns whether there was one that is not */
  #closeSpare(): boolean {
    const [uid] = this.#spare;
    const known = uid === undefined ? undefined : this.#known.get(uid);
    if (uid === undefined || known === undefined) return false;
    this.#closeStream(known);
    this.#sort(uid, known);
    return true;
  }

  /** Puts it where agents of its kind are found. */
  #sort(uid: string, { stream, isNeeded }: Known): void {
    const place = stream ? !isNeeded && this.#spare : isNeeded ? this.#needed : this.#others;
    for (const each of [this.#spare, this.#needed, this.#others]) if (each !== place) each.delete(uid);
    if (place) place.add(uid);
    if (stream) return;
    this.#turns ??= setInterval(() => this.#askNext(), 1000 / (this.#options.asksPerSecond ?? ASKS_PER_SECOND));
  }

  #askNext(): void {
    for (const waiting of [this.#needed, this.#others]) {
      const [uid] = waiting;
      const known = uid === undefined ? undefined : this.#known.get(uid);
      if (uid === undefined || !known || known.isAsked) continue;
      if (performance.now() - known.askedAt < ASKED_AGAIN_MS) continue;
      // To the end of those that wait.
      waiting.delete(uid);
      waiting.add(uid);
      void this.#ask(known);
      return;
    }
    if (this.#needed.size + this.#others.size > 0) return;
    clearInterval(this.#turns);
    this.#turns = undefined;
  }

  async #ask(known: Known): Promise<void> {
    const { heard, forgotten } = known;
    known.isAsked = true;
    known.askedAt = performance.now();
    try {
      this.#hear(heard, await askAgent(heard.endpoint, this.#options.tls, forgotten.signal));
    } catch (err) {
      this.#options.log.debug({ err, pod: heard.endpoint.pod }, 'an agent could not be asked');
      // One that has a stream by now is heard by that.
      if (!forgotten.signal.aborted && known.stream === undefined) heard.unheard();
    }
    known.isAsked = false;
  }

  #hear(heard: HeardAgent, message: AgentLinkMessage): void {
    if (heard.hear(message) || message.type !== 'snapshot') return;
    const { pod, pool } = message;
    this.#options.log.warn(
      { pod: heard.endpoint.pod, found: { pod, pool } },
      'another pod answers at the address of an agent',
    );
  }

  async #order(uid: string, known: Known): Promise<void> {
    const { endpoint } = known.heard;
    const { log, tls, changed } = this.#options;
    const { signal } = known.forgotten;
    try {
      await orderDrain(endpoint, tls, signal);
    } catch (err) {
      if (!signal.aborted) log.warn({ err, pod: endpoint.pod }, 'an agent could not be told to drain');
    }
    known.isOrdered = false;
    if (!signal.aborted) changed(uid);
  }
}
