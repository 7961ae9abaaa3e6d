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
import type { TlsSource } from './tls-material.ts';

/** An agent says something every second; silent for this long it is not asked any more until it speaks. */
const SILENCE_MS = 2_000;
/** The first pause is short: a dead agent then refuses, and is known to be gone without waiting for silence. */
const RECONNECT: Backoff = { firstMs: 50, longestMs: 1_000, jitter: 0.5 };
const MAX_LINE = 64 * 1024 * 1024;

export interface StreamListener {
  /** Before each connection: what a snapshot on it does not have may have come to be after this moment. */
  connecting(): void;
  message(message: AgentLinkMessage): void;
  /** Not a word for SILENCE_MS. It may live: a pause of its process or of the network looks the same. */
  silent(): void;
  /** Its host answered that nothing listens there: the process is gone. */
  refused(): void;
  /** One connection ended; it is tried again. */
  failed(error: unknown): void;
}

export interface StreamOptions {
  /** False: capacity and readiness alone, for who routes nothing. */
  readonly sessions?: boolean;
  /** For agents whose url is https; asked anew for each connection. */
  readonly tls?: TlsSource | undefined;
}

/** The stream of one agent, reconnected for ever until it is disposed. */
export class AgentStream implements Disposable {
  readonly #endpoint: AgentEndpoint;
  readonly #path: string;
  readonly #listener: StreamListener;
  readonly #tls: TlsSource | undefined;
  readonly #silence: NodeJS.Timeout;
  #request: ClientRequest | undefined;
  #retry: NodeJS.Timeout | undefined;
  #attempt = 0;
  #lastHeard = performance.now();
  #disposed = false;

  constructor(endpoint: AgentEndpoint, listener: StreamListener, { sessions = true, tls }: StreamOptions = {}) {
    this.#endpoint = endpoint;
    this.#path = sessions ? INTERNAL_STREAM_PATH : `${INTERNAL_STREAM_PATH}?sessions=false`;
    this.#listener = listener;
    this.#tls = tls;
    this.#silence = setTimeout(() => this.#checkSilence(), SILENCE_MS);
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
    let cause: unknown = new Error('the stream ended');
    request.on('error', (error: NodeJS.ErrnoException) => {
      cause = error;
      if (error.code === 'ECONNREFUSED') this.#listener.refused();
    });
    request.on('response', (response) => {
      if (response.statusCode === 200) this.#read(response, request);
      else request.destroy(new Error(`the agent answered ${response.statusCode} to the stream`));
    });
    request.on('close', () => {
      if (this.#disposed || this.#request !== request) return;
      this.#listener.failed(cause);
      this.#retry = setTimeout(() => this.#connect(), backoffMs(this.#attempt, RECONNECT));
      this.#attempt += 1;
    });
    request.end();
  }

  #read(response: IncomingMessage, request: ClientRequest): void {
    let rest = '';
    response.setEncoding('utf8');
    response.on('error', (error) => request.destroy(error));
    response.on('data', (chunk: string) => {
      this.#lastHeard = performance.now();
      this.#silence.refresh();
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > MAX_LINE) request.destroy(new Error('a line of the stream is too long'));
      try {
        for (const line of lines) if (line !== '' && !this.#disposed) this.#take(line);
      } catch (error) {
        request.destroy(error instanceof Error ? error : new Error(String(error)));
      }
    });
    response.on('close', () => request.destroy());
  }

  #take(line: string): void {
    const message = parse(agentLinkSchema, JSON.parse(line), 'agent stream');
    this.#attempt = 0;
    this.#listener.message(message);
  }

  /** Timers run before sockets are read: after a pause of our own process, what came meanwhile counts first. */
  #checkSilence(): void {
    setImmediate(() => {
      if (this.#disposed) return;
      this.#silence.refresh();
      if (performance.now() - this.#lastHeard < SILENCE_MS - 1) return;
      this.#listener.silent();
      this.#request?.destroy(new Error('silent'));
    });
  }
}
