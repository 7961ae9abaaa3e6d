import http, { type ClientRequest, type IncomingMessage } from 'node:http';
import https from 'node:https';
import { text } from 'node:stream/consumers';
import type { KubeConfig } from '@kubernetes/client-node';
import { messageOf } from '@replpool/service';
import { type Clock, systemClock } from '../clock.ts';
import { Deadline } from './deadline.ts';
import { ApiError, NoAnswerError } from './errors.ts';
import type { RequestMetrics } from './request-metrics.ts';

const TIMEOUT_MS = 30_000;
/** A peer that is gone without a word is noticed 10 s after this (libuv probes every second, ten times). */
const KEEP_ALIVE_MS = 30_000;

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Call {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Query;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly signal?: AbortSignal | undefined;
  /** From its connection until the whole answer is there; of `stream`, until its headers are. */
  readonly timeoutMs?: number;
  /** A POST that changes nothing, such as a review: it may be sent again where a kept connection was closed. */
  readonly repeatable?: boolean;
}

export interface ApiClientOptions {
  /** How the API server's logs name us. */
  readonly userAgent?: string;
  readonly metrics?: RequestMetrics;
  /** Calls beyond so many at once wait for their turn; no limit by default. */
  readonly maxSockets?: number;
  readonly clock?: Clock;
  /** Called as late as can be before what changes something is sent, which it forbids by throwing. */
  readonly beforeWrite?: () => void;
}

/**
 * JSON to and from the API server, with the kubeconfig's authentication, which is asked for each call (a token is rotated).
 * Not client-node's calls: 2.0.1 makes a new undici Agent, so a new TLS connection, for each of them, and its Watch gives up a connection
 * that is quiet for 30 s, while bookmarks come once a minute.
 */
export class ApiClient implements Disposable {
  readonly #config: KubeConfig;
  readonly #server: string;
  readonly #agent: https.Agent | http.Agent;
  readonly #options: ApiClientOptions;

  constructor(config: KubeConfig, apiOptions: ApiClientOptions = {}) {
    const cluster = config.getCurrentCluster();
    if (cluster === null) throw new Error('the kubeconfig has no current cluster');
    this.#config = config;
    this.#options = apiOptions;
    this.#server = cluster.server.replace(/\/$/, '');
    const { maxSockets = Infinity } = apiOptions;
    const options = { keepAlive: true, keepAliveMsecs: KEEP_ALIVE_MS, maxFreeSockets: 8, maxSockets };
    this.#agent = this.#server.startsWith('https:') ? new https.Agent(options) : new http.Agent(options);
  }

  /**
   * The answer's JSON.
   * @throws {ApiError} it was not 2xx
   * @throws {NoAnswerError} there was none
   */
  async request(call: Call): Promise<unknown> {
    using deadline = this.#deadlineOf(call);
    const response = await this.#send(call, deadline);
    const body = await noAnswer(text(response), call);
    return answerOf(response, body, call);
  }

  /** The answer's lines as they come, for a watch. Ends by its signal, which also ends the connection. */
  async stream(call: Call & { readonly signal: AbortSignal }): Promise<IncomingMessage> {
    const deadline = this.#deadlineOf(call);
    const response = await this.#send(call, deadline).finally(() => deadline[Symbol.dispose]());
    if (response.statusCode === 200) return response;
    throw failureOf(response, await noAnswer(text(response), call), call);
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  #deadlineOf({ timeoutMs = TIMEOUT_MS, signal }: Call): Deadline {
    return new Deadline(this.#options.clock ?? systemClock, timeoutMs, signal);
  }

  async #send(call: Call, deadline: Deadline): Promise<IncomingMessage> {
    const { signal } = deadline;
    const options: https.RequestOptions = { method: call.method ?? 'GET', signal, headers: {} };
    await this.#config.applyToHTTPSOptions(options);
    // Its own agent is needed for a proxy alone: it opens a connection for each call.
    if (this.#config.getCurrentCluster()?.proxyUrl === undefined) options.agent = this.#agent;
    const body = call.body === undefined ? undefined : Buffer.from(JSON.stringify(call.body));
    const headers: http.OutgoingHttpHeaders = { ...(options.headers as http.OutgoingHttpHeaders) };
    headers.accept = 'application/json';
    headers['user-agent'] = this.#options.userAgent ?? 'replpool';
    if (body !== undefined) {
      headers['content-type'] = call.contentType ?? 'application/json';
      headers['content-length'] = body.length;
    }
    const isRead = options.method === 'GET' || call.repeatable === true;
    const url = new URL(this.#server + call.path);
    for (const [name, value] of Object.entries(call.query ?? {})) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    const sent = (): Promise<IncomingMessage> =>
      this.#observed(
        call,
        send(url, { ...options, headers }, body, () => {
          deadline.begin();
          if (!isRead) this.#options.beforeWrite?.();
        }),
      );
    try {
      return await sent();
    } catch (error) {
      // A kept connection may be closed by the server just as it is used again; what may be done twice is.
      const stale = error instanceof NoAnswerError && error.message === STALE;
      const mayRepeat = call.method !== 'POST' || call.repeatable === true;
      if (!stale || !mayRepeat || signal.aborted) throw noAnswerOf(error, call);
      return await noAnswer(sent(), call);
    }
  }

  async #observed(call: Call, sent: Promise<IncomingMessage>): Promise<IncomingMessage> {
    const { metrics } = this.#options;
    if (metrics === undefined) return await sent;
    const startedAt = performance.now();
    const method = call.method ?? 'GET';
    try {
      const response = await sent;
      metrics.answered(method, response.statusCode, startedAt);
      return response;
    } catch (error) {
      metrics.answered(method, undefined, startedAt);
      throw error;
    }
  }
}

const STALE = 'a kept connection was closed';

/** @param connected called when it has a connection, which may be one that is opened only now, and nothing is sent yet; may throw */
function send(
  url: URL,
  options: https.RequestOptions,
  body: Buffer | undefined,
  connected: () => void,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { request } = url.protocol === 'https:' ? https : http;
    const req: ClientRequest = request(url, options, (response) => {
      // Whoever reads it gets its error; this is for the moment before, when an error without a listener would end the process.
      response.on('error', () => {});
      resolve(response);
    });
    req.on('socket', (socket) => {
      socket.setKeepAlive(true, KEEP_ALIVE_MS);
      try {
        connected();
      } catch (error) {
        req.destroy(error instanceof Error ? error : new Error(String(error)));
      }
    });
    req.on('error', (error: NodeJS.ErrnoException) => {
      const closed = req.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
      reject(closed ? new NoAnswerError(STALE, { cause: error }) : error);
    });
    req.end(body);
  });
}

function answerOf(response: IncomingMessage, body: string, call: Call): unknown {
  const status = response.statusCode ?? 0;
  if (status < 200 || status > 299) throw failureOf(response, body, call);
  try {
    return JSON.parse(body) as unknown;
  } catch (error) {
    throw noAnswerOf(error, call);
  }
}

function failureOf(response: IncomingMessage, body: string, call: Call): ApiError {
  let parsed: unknown = body;
  try {
    parsed = JSON.parse(body);
  } catch {
    // What a proxy in front says need not be JSON; its text is the message then.
  }
  return new ApiError(response.statusCode ?? 0, parsed, whatOf(call), response.headers['retry-after']);
}

const whatOf = ({ method = 'GET', path }: Call): string => `${method} ${path}`;

async function noAnswer<T>(promise: Promise<T>, call: Call): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    throw noAnswerOf(error, call);
  }
}

function noAnswerOf(error: unknown, call: Call): NoAnswerError {
  const said = messageOf(error);
  return new NoAnswerError(`${whatOf(call)}: ${said}`, { cause: error });
}
