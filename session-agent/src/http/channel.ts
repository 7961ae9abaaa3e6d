import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  CHANNEL_MSGPACK,
  CHANNEL_VERSION,
  type ChannelSubprotocol,
  type ClientMessage,
  type ControlMessage,
  chooseSubprotocol,
  clientMessageSchema,
  closeCodes,
  decodeMessage,
  encodeMessage,
  eventsQuerySchema,
  FrameError,
  parse,
  ReplPoolError,
  type RequestId,
  type SessionEvent,
} from '@replpool/protocol';
import { BODY_LIMIT, refuseUpgrade, toReplPoolError } from '@replpool/service';
import { type WebSocket, WebSocketServer } from 'ws';
import type { LoggedEvent } from '../session/event-log.ts';
import { EventReader } from '../session/event-reader.ts';
import type { Session } from '../session/session.ts';

/**
 * Bytes that may wait in a client's socket: beyond it no events are read for it until it has caught up. So many bytes of answers to its own
 * messages may wait besides; beyond that it is not listened to. An interrupt passes however many events wait.
 */
const HIGH_WATER_BYTES = 1024 * 1024;

/** Accepts channels; the caller has checked who asks and found the session. */
export class ChannelServer {
  readonly #server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: BODY_LIMIT,
    handleProtocols: (offered) => chooseSubprotocol(offered) ?? false,
  }).on('wsClientError', (error, socket) => {
    refuseUpgrade(socket, new ReplPoolError('INVALID_REQUEST', `not a WebSocket handshake: ${error.message}`));
  });

  /** @param from events after this one are sent; by default only new ones */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer, session: Session): void {
    const query = Object.fromEntries(new URL(request.url ?? '', 'http://agent').searchParams);
    const { from } = parse(eventsQuerySchema, query, 'query');
    this.#server.handleUpgrade(request, socket, head, (client) => {
      const channel = new Channel(client, socket, session);
      channel.open(from ?? session.log.lastSeq);
    });
  }

  close(): void {
    for (const client of this.#server.clients) client.close(1001, 'the agent is going away');
    this.#server.close();
  }
}

/** One client's channel to one session. */
class Channel {
  readonly #client: WebSocket;
  /** The connection under it. */
  readonly #socket: Duplex;
  readonly #session: Session;
  readonly #codec: 'json' | 'msgpack';
  #reader: EventReader | undefined;
  #corked = false;
  /** Bytes of answers that wait in the socket. */
  #answers = 0;

  constructor(client: WebSocket, socket: Duplex, session: Session) {
    this.#client = client;
    this.#socket = socket;
    this.#session = session;
    this.#codec = (client.protocol as ChannelSubprotocol) === CHANNEL_MSGPACK ? 'msgpack' : 'json';
  }

  open(from: number): void {
    const { id, epoch, state, log } = this.#session;
    this.#send({ type: 'hello', session: id, epoch, seq: log.lastSeq, state, protocol: CHANNEL_VERSION });
    this.#client.on('message', (data: Buffer) => this.#receive(data));
    // ws closes with 1009 or 1007 itself; the event would end the process if nobody listened.
    this.#client.on('error', () => undefined);
    this.#client.on('close', () => this.#reader?.[Symbol.dispose]());
    this.#reader = new EventReader(log, from, {
      write: (event) => this.#sendEvent(event),
      end: () => this.#client.close(1000, 'the session has ended'),
    });
  }

  /** @returns whether the client has room for more */
  #sendEvent(event: LoggedEvent): boolean {
    this.#cork();
    const binary = this.#codec === 'msgpack';
    this.#client.send(binary ? encodeMessage(JSON.parse(event.json), 'msgpack') : event.json, { binary }, () => {
      if (this.#client.bufferedAmount < HIGH_WATER_BYTES / 2) this.#reader?.resume();
    });
    return this.#client.bufferedAmount < HIGH_WATER_BYTES;
  }

  #send(message: ControlMessage | SessionEvent): void {
    this.#cork();
    const data = encodeMessage(message, this.#codec);
    const binary = this.#codec === 'msgpack';
    this.#answers += data.length;
    if (this.#answers > HIGH_WATER_BYTES) this.#client.pause();
    this.#client.send(data, { binary }, () => {
      this.#answers -= data.length;
      if (this.#client.isPaused && this.#answers < HIGH_WATER_BYTES / 2) this.#client.resume();
    });
  }

  /** What is sent in one turn leaves in one write: one write of a small message costs more than all that led to it. */
  #cork(): void {
    if (this.#corked) return;
    this.#corked = true;
    this.#socket.cork();
    process.nextTick(() => {
      this.#corked = false;
      this.#socket.uncork();
    });
  }

  #receive(data: Buffer): void {
    let decoded: unknown;
    try {
      decoded = decodeMessage(data, this.#codec);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#client.close(closeCodes.undecodable, 'not a message of this subprotocol');
      return;
    }
    const names = namesOf(decoded);
    try {
      const message = parse(clientMessageSchema, decoded, 'message');
      void this.#act(message).catch((error: unknown) => this.#problem(error, names));
    } catch (error) {
      this.#problem(error, names);
    }
  }

  async #act(message: ClientMessage): Promise<void> {
    switch (message.type) {
      case 'execute': {
        const { type: _type, ...request } = message;
        const submitted = this.#session.executions.submit(request);
        // An id that has ended produces no events any more; its end is said again.
        if ('outcome' in submitted) this.#send(this.#session.executions.finishedEvent(submitted.outcome));
        return;
      }
      case 'input': {
        const answer = message.eof ? ({ eof: true } as const) : { value: message.value ?? '' };
        return this.#session.executions.answerInput(message.execution, answer);
      }
      case 'interrupt':
        return this.#session.executions.interrupt(message.execution);
      case 'complete':
      case 'inspect': {
        const { type, request, code, cursor } = message;
        const value = await this.#session.ask({ type, code, cursor });
        return this.#send({ type: 'reply', request, value });
      }
      case 'commit':
      case 'rollback': {
        const { type, request, transaction } = message;
        const value = await this.#session.executions.endTransaction(type, transaction);
        return this.#send({ type: 'reply', request, value });
      }
      case 'undo': {
        const { request, executions } = message;
        const value = await this.#session.executions.undo(executions);
        return this.#send({ type: 'reply', request, value });
      }
      case 'ping':
        return this.#send({ type: 'pong' });
      case 'ack':
        return;
    }
  }

  #problem(error: unknown, names: { request?: RequestId; execution?: string }): void {
    this.#send({ type: 'problem', ...names, problem: toReplPoolError(error).toProblem() });
  }
}

/** What a message that failed can be answered by, however wrong the rest of it is. */
function namesOf(message: unknown): { request?: RequestId; execution?: string } {
  if (typeof message !== 'object' || message === null) return {};
  const request = 'request' in message ? message.request : undefined;
  const execution = 'execution' in message ? message.execution : 'id' in message ? message.id : undefined;
  return {
    ...((typeof request === 'string' || typeof request === 'number') && { request }),
    ...(typeof execution === 'string' && { execution }),
  };
}
