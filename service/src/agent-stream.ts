import type { ClientRequest, IncomingMessage } from 'node:http';
import {
  type AgentEndpoint,
  type AgentLinkMessage,
  agentLinkSchema,
  INTERNAL_STREAM_PATH,
  parse,
} from '@replpool/protocol';
import { requestAgent } from './agent-request.ts';
import { type Backoff, backoffMs } from './backoff.ts';
import { Lines } from './lines.ts';
import { MessageBudget, type MessageRate } from './message-budget.ts';
import { messageOf } from './message-of.ts';
import type { TlsSource } from './tls-material.ts';

/** An agent tells its sessions' listeners something every second; silent for this long it is not asked any more until it speaks. */
const SILENCE_MS = 2_000;
/** The first pause is short: a dead agent then refuses, and is known to be gone without waiting for silence. */
const RECONNECT: Backoff = { firstMs: 50, longestMs: 1_000, jitter: 0.5 };
/** Sessions run code, and what they break out into speaks as their agent: one that breaks the protocol waits longer each time. */
const AFTER_OFFENCE: Backoff = { firstMs: 1_000, longestMs: 60_000, jitter: 0.5 };

interface Bounds {
  /** Of a line, in characters. */
  readonly longest: number;
  readonly rate: MessageRate;
}

/** A snapshot of 10,000 sessions fits; and that 500 of them change their state each time an agent tells of them, 20 times a second. */
const WITH_SESSIONS: Bounds = { longest: 16 * 1024 * 1024, rate: { perSecond: 10_000, burst: 100_000 } };
/** Counters and with them what fails: 64 templates, 500 characters each, every one escaped at worst. In characters. */
export const LONGEST_COUNTERS = 256 * 1024;
/** They come once a second, and when an agent's readiness changes. */
const COUNTERS: Bounds = { longest: LONGEST_COUNTERS, rate: { perSecond: 500, burst: 5_000 } };

/** The agent says what cannot be used, or too much. */
class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

export interface StreamListener {
  /** Before each connection: what a snapshot on it does not have may have come to be after this moment. */
  connecting(): void;
  message(message: AgentLinkMessage): void;
  /** Not a word for `silenceMs`. It may live: a pause of its process or of the network looks the same. */
  silent(): void;
  /** Its host answered that nothing listens there: the process is gone. */
  refused(): void;
  /** One connection ended; it is tried again. */
  failed(error: unknown): void;
}

export interface StreamOptions {
  /** False: capacity and readiness alone, for who routes nothing. */
  readonly sessions?: boolean;
  /** Above two of the agent's heartbeats, which come every second, or every five where `sessions` is false. */
  readonly silenceMs?: number;
  /** For agents whose url is https; asked anew for each connection. */
  readonly tls?: TlsSource | undefined;
}

/** The stream of one agent, reconnected for ever until it is disposed. */
export class AgentStream implements Disposable {
  readonly #endpoint: AgentEndpoint;
  readonly #path: string;
  readonly #listener: StreamListener;
  readonly #tls: TlsSource | undefined;
  readonly #silenceMs: number;
  readonly #silence: NodeJS.Timeout;
  readonly #bounds: Bounds;
  /** Of all its connections, so that a new one buys nothing. */
  readonly #budget: MessageBudget;
  #request: ClientRequest | undefined;
  #retry: NodeJS.Timeout | undefined;
  #attempt = 0;
  #offences = 0;
  #lastHeard = performance.now();
  #disposed = false;

  constructor(endpoint: AgentEndpoint, listener: StreamListener, options: StreamOptions = {}) {
    const { sessions = true, silenceMs = SILENCE_MS, tls } = options;
    this.#silenceMs = silenceMs;
    this.#bounds = sessions ? WITH_SESSIONS : COUNTERS;
    this.#budget = new MessageBudget(this.#bounds.rate, performance.now());
    this.#endpoint = endpoint;
    this.#path = sessions ? INTERNAL_STREAM_PATH : `${INTERNAL_STREAM_PATH}?sessions=false`;
    this.#listener = listener;
    this.#tls = tls;
    this.#silence = setTimeout(() => this.#checkSilence(), silenceMs);
    this.#connect();
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    clearTimeout(this.#silence);
    clearTimeout(this.#retry);
    this.#request?.destroy();
  }

  #connect(): void {
    if (this.#disposed) return;
    this.#listener.connecting();
    const request = requestAgent(
      this.#endpoint,
      this.#path,
      { headers: { accept: 'application/x-ndjson' } },
      this.#tls,
    );
    this.#request = request;
    const begunAt = performance.now();
    let cause: unknown = new Error('the stream ended');
    request.on('error', (error: NodeJS.ErrnoException) => {
      cause = error;
      if (error.code === 'ECONNREFUSED') this.#listener.refused();
    });
    request.on('response', (response) => {
      if (response.statusCode === 200) this.#read(response, request, begunAt);
      else request.destroy(new Error(`the agent answered ${response.statusCode} to the stream`));
    });
    request.on('close', () => {
      if (this.#disposed || this.#request !== request) return;
      this.#listener.failed(cause);
      this.#retry = setTimeout(() => this.#connect(), this.#pauseMs(cause, performance.now() - begunAt));
    });
    request.end();
  }

  /** @param livedMs how long the connection did that ended by this cause */
  #pauseMs(cause: unknown, livedMs: number): number {
    if (!(cause instanceof ProtocolError)) {
      this.#attempt += 1;
      return backoffMs(this.#attempt - 1, RECONNECT);
    }
    this.#offences = livedMs > AFTER_OFFENCE.longestMs ? 1 : this.#offences + 1;
    return backoffMs(this.#offences - 1, AFTER_OFFENCE);
  }

  #read(response: IncomingMessage, request: ClientRequest, begunAt: number): void {
    const lines = new Lines(this.#bounds.longest);
    response.setEncoding('utf8');
    response.on('error', (error) => request.destroy(error));
    response.on('data', (chunk: string) => {
      const now = performance.now();
      this.#lastHeard = now;
      this.#silence.refresh();
      // One word is no sound connection: it must not be had every 50 ms.
      if (now - begunAt > RECONNECT.longestMs) this.#attempt = 0;
      try {
        this.#hear(lines, chunk, now);
      } catch (error) {
        const said = messageOf(error);
        request.destroy(new ProtocolError(`the agent breaks the protocol of the stream: ${said}`, { cause: error }));
      }
    });
    response.on('close', () => request.destroy());
  }

  /** @throws Error where it breaks the protocol, or its listener cannot use what it says */
  #hear(lines: Lines, chunk: string, now: number): void {
    let ended = 0;
    for (const line of lines.push(chunk)) {
      if (this.#disposed) return;
      ended += 1;
      this.#pay(line.length, now);
      if (line !== '') this.#listener.message(parse(agentLinkSchema, JSON.parse(line), 'agent stream'));
    }
    // Or a line in chunks of one character would cost nothing.
    if (ended === 0) this.#pay(0, now);
  }

  #pay(length: number, now: number): void {
    if (!this.#budget.take(length, now)) throw new Error('too many messages');
  }

  /** Timers run before sockets are read: after a pause of our own process, what came meanwhile counts first. */
  #checkSilence(): void {
    setImmediate(() => {
      if (this.#disposed) return;
      this.#silence.refresh();
      if (performance.now() - this.#lastHeard < this.#silenceMs - 1) return;
      this.#listener.silent();
      this.#request?.destroy(new Error('silent'));
    });
  }
}
