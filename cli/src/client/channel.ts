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
import { serviceFailed } from '../failure.ts';
import type { Target } from '../target.ts';
import { authorization } from './http-client.ts';
import { answerFailure, unreachable } from './problem.ts';

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

/** A session's channel. After a broken connection it goes on with the event that follows the last one seen. */
export class Channel implements Disposable {
  readonly #target: Target;
  readonly #session: string;
  readonly #listener: ChannelListener;
  readonly #replies = new Map<string | number, (value: unknown) => void>();
  #socket: WebSocket | undefined;
  #seen = 0;
  #requests = 0;
  #isClosed = false;

  private constructor(target: Target, session: string, listener: ChannelListener) {
    this.#target = target;
    this.#session = session;
    this.#listener = listener;
  }

  static async open(target: Target, session: string, listener: ChannelListener): Promise<Channel> {
    const channel = new Channel(target, session, listener);
    await channel.#connect();
    return channel;
  }

  /** Sends a message; false where the connection is down just now. */
  send(message: ClientMessage): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  /** Completions at the cursor (in code points); undefined where the session cannot say. */
  async complete(code: string, cursor: number): Promise<Completion | undefined> {
    this.#requests += 1;
    const request = `complete-${this.#requests}`;
    const reply = new Promise<unknown>((resolve) => this.#replies.set(request, resolve));
    if (!this.send({ type: 'complete', request, code, cursor })) this.#replies.get(request)?.(undefined);
    return completionSchema.safeParse(await reply).data;
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#socket?.close();
    this.#forgetReplies();
  }

  async #connect(): Promise<void> {
    const url = new URL(`v1/sessions/${this.#session}/channel?from=${this.#seen}`, this.#target.url);
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
      this.#forgetReplies();
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
        const isFinal = error instanceof Error && 'exitCode' in error && error.message.includes('SESSION_');
        if (isFinal || performance.now() > deadline) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, reconnectEveryMs));
    }
  }

  #forgetReplies(): void {
    for (const resolve of this.#replies.values()) resolve(undefined);
    this.#replies.clear();
  }

  #settle(request: string | number, value: unknown): void {
    this.#replies.get(request)?.(value);
    this.#replies.delete(request);
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
      case 'pong':
        return;
      case 'reply':
        this.#settle(message.request, message.value);
        return;
      case 'problem':
        if (message.request === undefined) this.#listener.refused(message.execution, message.problem);
        else this.#settle(message.request, undefined);
        return;
      default:
        if (message.seq <= this.#seen) return;
        this.#seen = message.seq;
        this.#listener.event(message);
    }
  }
}
