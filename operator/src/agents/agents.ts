import { type Clock, systemClock } from '@replpool/kube';
import type { AgentEndpoint, AgentLinkMessage } from '@replpool/protocol';
import { AgentStream, type TlsSource } from '@replpool/service';
import type { Logger } from 'pino';
import type { Loads, PodLoad } from '../pool/pod-view.ts';
import { askAgent } from './ask-agent.ts';
import { type AgentSaid, HeardAgent } from './heard-agent.ts';
import { orderDrain } from './order-drain.ts';
import { Turns } from './turns.ts';

export interface AgentsOptions {
  readonly log: Logger;
  /** As whom agents are spoken to. */
  readonly tls: TlsSource;
  /** Called when there is something new of an agent, and at the end of an order to it; with the uid of its pod. */
  readonly changed: (uid: string) => void;
  /**
   * To so many agents a stream is held; one takes some 85 KiB, nearly all of it OpenSSL's and Node.js's outside of the heap. The others are
   * asked in turn.
   */
  readonly streams?: number;
  /** So many are asked in a second, which takes two milliseconds of a core each; and each of them no more often than every five seconds. */
  readonly asksPerSecond?: number;
  readonly clock?: Clock;
}

const STREAMS = 250;
const ASKS_PER_SECOND = 50;
/** An answer is younger than this where nobody has to wait for its turn: so long an agent rests and an ask takes, and some more. */
const OLD_MS = 15_000;
/** Who only counts hears from an agent every five seconds; two of these may be late. */
const SILENCE_MS = 12_000;

interface Known {
  readonly heard: HeardAgent;
  readonly forgotten: AbortController;
  /** Whether somebody is about to choose among agents, and this one is among them. */
  isNeeded: boolean;
  stream: AgentStream | undefined;
  /** When somebody began, and ceased, to need it. */
  neededSince: number;
  neededUntil: number;
  /** When the last ask of it ended. */
  askedAt: number;
  /** Of one without a stream: when that ask or its stream ended, whichever was later. What is known of it is of then. */
  knownAt: number;
  /** Aborted where a stream or nobody is to tell of it. */
  asking: AbortController | undefined;
  /** Whether an order to drain is under way. */
  isOrdered: boolean;
}

/**
 * What the agents say of their sessions: counters alone. As many as there may be streams are heard all the time, first those that are needed;
 * the others now and then. An agent that is not heard has no load, and the planner takes that for busy.
 */
export class Agents implements Disposable, Loads {
  readonly #options: AgentsOptions;
  readonly #streams: number;
  readonly #known = new Map<string, Known>();
  /** Those with a stream that nobody needs. */
  readonly #spare = new Set<string>();
  /** Those without one, unless they are being asked. */
  readonly #turns: Turns;
  readonly #clock: Clock;
  #open = 0;

  constructor(options: AgentsOptions) {
    this.#options = options;
    this.#streams = options.streams ?? STREAMS;
    this.#clock = options.clock ?? systemClock;
    this.#turns = new Turns({
      clock: this.#clock,
      perSecond: options.asksPerSecond ?? ASKS_PER_SECOND,
      ask: (uid) => {
        const known = this.#known.get(uid);
        if (known) void this.#ask(uid, known);
      },
    });
  }

  /**
   * Listens to a pod's agent from now on, or goes on so.
   * @param isNeeded whether its load is to be known at each moment
   */
  listen(uid: string, endpoint: AgentEndpoint, isNeeded: boolean): void {
    const known = this.#of(uid, endpoint);
    this.#need(known, isNeeded);
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
    this.#spare.delete(uid);
    this.#turns.remove(uid);
    if (known.stream) this.#closeStream(known);
    known.asking?.abort();
    known.heard[Symbol.dispose]();
    known.forgotten.abort();
  }

  loadOf(uid: string): PodLoad | undefined {
    return this.#known.get(uid)?.heard.load;
  }

  /** What its load is may show in a moment: who would choose it for what is known now had better wait. */
  isAwaited(uid: string): boolean {
    const known = this.#known.get(uid);
    if (!known) return false;
    return known.stream ? known.heard.isAwaited : known.isNeeded && this.#isOld(known);
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
    this.#turns[Symbol.dispose]();
    for (const uid of [...this.#known.keys()]) this.forget(uid);
  }

  #of(uid: string, endpoint: AgentEndpoint): Known {
    const known = this.#known.get(uid);
    if (known?.heard.endpoint.url === endpoint.url) return known;
    this.forget(uid);
    const heard = new HeardAgent(endpoint, SILENCE_MS, this.#clock, () => this.#options.changed(uid));
    const forgotten = new AbortController();
    const added: Known = {
      ...{ heard, forgotten, isNeeded: false, stream: undefined },
      ...{ neededSince: -Infinity, neededUntil: -Infinity, askedAt: -Infinity, knownAt: -Infinity },
      ...{ asking: undefined, isOrdered: false },
    };
    this.#known.set(uid, added);
    return added;
  }

  #need(known: Known, isNeeded: boolean): void {
    if (known.isNeeded === isNeeded) return;
    known.isNeeded = isNeeded;
    const now = this.#clock.now();
    // A pool that rests for a moment only, again and again, needs no newer words for it: it would wait for them for ever.
    if (!isNeeded) known.neededUntil = now;
    else if (now - known.neededUntil > this.#oldMs()) known.neededSince = now;
  }

  /** Older than this is no answer where each is asked in turn: a turn of the needed takes half of what is added. */
  #oldMs(): number {
    return OLD_MS + 2 * this.#turns.roundMs;
  }

  /** Whether what is known of one without a stream is too old to choose by. */
  #isOld({ knownAt, neededSince }: Known): boolean {
    return knownAt < neededSince || this.#clock.now() - knownAt > this.#oldMs();
  }

  #openStream(uid: string, known: Known): void {
    const { log, tls } = this.#options;
    const { heard } = known;
    this.#open += 1;
    // What is asked is older than what the stream will say, and may come later.
    known.asking?.abort();
    known.asking = undefined;
    if (this.#isOld(known)) heard.await();
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
    known.knownAt = known.heard.load ? this.#clock.now() : -Infinity;
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
  #sort(uid: string, known: Known): void {
    if (known.stream && !known.isNeeded) this.#spare.add(uid);
    else this.#spare.delete(uid);
    if (known.stream || known.asking) this.#turns.remove(uid);
    else this.#turns.put(uid, known);
  }

  async #ask(uid: string, known: Known): Promise<void> {
    const { heard } = known;
    const asking = new AbortController();
    known.asking = asking;
    let said: AgentLinkMessage | undefined;
    try {
      said = await askAgent(heard.endpoint, this.#options.tls, asking.signal);
    } catch (err) {
      this.#options.log.debug({ err, pod: heard.endpoint.pod }, 'an agent could not be asked');
    }
    // It is forgotten, or heard by a stream.
    if (asking.signal.aborted) return;
    const wasAwaited = this.isAwaited(uid);
    known.asking = undefined;
    known.askedAt = this.#clock.now();
    known.knownAt = known.askedAt;
    if (said) this.#hear(heard, said);
    else heard.unheard();
    this.#sort(uid, known);
    if (wasAwaited) this.#options.changed(uid);
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
