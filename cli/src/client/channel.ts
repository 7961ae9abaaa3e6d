import { once } from 'node:events';
import {
  CHANNEL_JSON,
  type ClientMessage,
  type Completion,
  completionSchema,
  type Problem,
  type ServerMessage,
  type SessionEvent,
  serverMessageSchema,
} from '@replpool/protocol';
import { WebSocket } from 'ws';
import { CommandFailure, serviceFailed } from '../failure.ts';
import type { Target } from '../target.ts';
import { authorization } from './http-client.ts';
import { answerFailure, problemFailure, unreachable } from './problem.ts';

const reconnectForMs = 15_000;
const reconnectEveryMs = 300;
const handshakeTimeoutMs = 10_000;

export interface ChannelListener {
  /** The connection broke; the channel tries to get another. */
  disconnected(): void;
  /** Connected again; what was sent shortly before may not have arrived. */
  reconnected(): void;
  event(event: SessionEvent): void;
  /** An execution that was refused. */
  refused(execution: string | undefined, problem: Problem): void;
  /** The channel is gone for good. */
  failed(error: Error): void;
}

type WithoutRequest<M> = M extends { request: unknown } ? Omit<M, 'request'> : never;
/** A message that is answered by itself. */
export type Question = WithoutRequest<ClientMessage>;

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (failure: CommandFailure) => void;
}

export interface ChannelOptions {
  /** Begins with the events that come from now on, not with the session's first. */
  readonly onlyNew?: boolean;
}

/** A session's channel. After a broken connection it goes on with the event that follows the last one seen. */
export class Channel implements Disposable {
  readonly #target: Target;
  readonly #session: string;
  readonly #listener: ChannelListener;
  readonly #waiting = new Map<string | number, Waiting>();
  #socket: WebSocket | undefined;
  /** The number of the last event; undefined until the service says it, where only new ones are wanted. */
  #seen: number | undefined;
  #requests = 0;
  #isClosed = false;

  private constructor(target: Target, session: string, listener: ChannelListener, seen: number | undefined) {
    this.#target = target;
    this.#session = session;
    this.#listener = listener;
    this.#seen = seen;
  }

  static async open(
    target: Target,
    session: string,
    listener: ChannelListener,
    { onlyNew = false }: ChannelOptions = {},
  ): Promise<Channel> {
    const channel = new Channel(target, session, listener, onlyNew ? undefined : 0);
    await channel.#connect();
    return channel;
  }

  /** Sends a message; false where the connection is down just now. */
  send(message: ClientMessage): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  /**
   * Asks the session for something.
   * @param signal ends the wait, and not what was asked for
   * @returns the value of the reply
   * @throws CommandFailure the service's problem, or that there was no answer
   */
  async request(question: Question, signal?: AbortSignal): Promise<unknown> {
    this.#requests += 1;
    const request = `${question.type}-${this.#requests}`;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#waiting.set(request, { resolve, reject });
    const giveUp = (): void => reject(notAnswered('it is no longer waited for'));
    signal?.addEventListener('abort', giveUp, { once: true });
    if (!this.send({ ...question, request })) reject(serviceFailed('there is no connection to the service just now'));
    try {
      return await promise;
    } finally {
      signal?.removeEventListener('abort', giveUp);
      this.#waiting.delete(request);
    }
  }

  /** Completions at the cursor (in code points); undefined where the session cannot say. */
  async complete(code: string, cursor: number): Promise<Completion | undefined> {
    const reply = await this.request({ type: 'complete', code, cursor }).catch(() => undefined);
    return completionSchema.safeParse(reply).data;
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#socket?.close();
    this.#endWaiting();
  }

  async #connect(): Promise<void> {
    const from = this.#seen === undefined ? '' : `?from=${this.#seen}`;
    const url = new URL(`v1/sessions/${this.#session}/channel${from}`, this.#target.url);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    const socket = new WebSocket(url, [CHANNEL_JSON], {
      headers: authorization(this.#target),
      perMessageDeflate: false,
      handshakeTimeout: handshakeTimeoutMs,
      maxPayload: 128 * 1024 * 1024,
    });
    const refused = Promise.withResolvers<never>();
    refused.promise.catch(() => undefined);
    socket.on('unexpected-response', (_request, response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('end', () => refused.reject(answerFailure(response.statusCode ?? 500, body)));
    });
    // Before 'open': the hello may come in the same packet as the upgrade.
    socket.on('message', (data) => this.#receive(String(data)));
    try {
      await Promise.race([once(socket, 'open'), refused.promise]);
    } catch (error) {
      socket.on('error', () => undefined).terminate();
      throw error instanceof Error && 'exitCode' in error ? error : unreachable(this.#target, error);
    }
    this.#socket = socket;
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#endWaiting();
      if (this.#isClosed) return;
      this.#listener.disconnected();
      this.#reconnect().catch((error: Error) => this.#listener.failed(error));
    });
  }

  async #reconnect(): Promise<void> {
    const deadline = performance.now() + reconnectForMs;
    while (!this.#isClosed) {
      try {
        await this.#connect();
        return this.#listener.reconnected();
      } catch (error) {
        const isFinal = error instanceof CommandFailure && error.code?.startsWith('SESSION_');
        if (isFinal || performance.now() > deadline) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, reconnectEveryMs));
    }
  }

  #endWaiting(): void {
    const failure = notAnswered('the connection to the service broke');
    for (const { reject } of this.#waiting.values()) reject(failure);
  }

  #receive(text: string): void {
    let message: ServerMessage;
    try {
      message = serverMessageSchema.parse(JSON.parse(text));
    } catch (error) {
      this[Symbol.dispose]();
      this.#listener.failed(
        serviceFailed('the service sent a message that this version does not know', undefined, error),
      );
      return;
    }
    switch (message.type) {
      case 'hello':
        this.#seen ??= message.seq;
        return;
      case 'pong':
        return;
      case 'reply':
        this.#waiting.get(message.request)?.resolve(message.value);
        return;
      case 'problem':
        if (message.request === undefined) this.#listener.refused(message.execution, message.problem);
        else this.#waiting.get(message.request)?.reject(problemFailure(message.problem));
        return;
      default:
        if (message.seq <= (this.#seen ?? 0)) return;
        this.#seen = message.seq;
        this.#listener.event(message);
    }
  }
}

const notAnswered = (why: string): CommandFailure =>
  serviceFailed(`${why} before the answer came`, 'what was asked for may have been done');
