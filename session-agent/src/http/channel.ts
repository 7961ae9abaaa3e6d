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
  type RequestId,
} from '@replpool/protocol';
import { type WebSocket, WebSocketServer } from 'ws';
import type { LoggedEvent } from '../session/event-log.ts';
import { EventReader } from '../session/event-reader.ts';
import type { Session } from '../session/session.ts';
import { MAX_BODY_BYTES } from './body.ts';
import { asReplPoolError } from './problem.ts';

/** Bytes that may wait in a client's socket; beyond it the client reads from the log when it has caught up. */
const HIGH_WATER_BYTES = 1024 * 1024;

/** Accepts channels; the caller has checked who asks and found the session. */
export class ChannelServer {
  readonly #server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: MAX_BODY_BYTES,
    handleProtocols: (offered) => chooseSubprotocol(offered) ?? false,
  });

  /** @param from events after this one are sent; by default only new ones */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer, session: Session): void {
    const query = Object.fromEntries(new URL(request.url ?? '', 'http://agent').searchParams);
    const { from } = parse(eventsQuerySchema, query, 'query');
    this.#server.handleUpgrade(request, socket, head, (client) => {
      const channel = new Channel(client, session);
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
  readonly #session: Session;
  readonly #codec: 'json' | 'msgpack';
  #reader: EventReader | undefined;

  constructor(client: WebSocket, session: Session) {
    this.#client = client;
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
      end: () => this.#client.close(1000),
    });
  }

  #sendEvent(event: LoggedEvent): boolean {
    const binary = this.#codec === 'msgpack';
    this.#client.send(binary ? encodeMessage(JSON.parse(event.json), 'msgpack') : event.json, { binary }, () => {
      if (this.#client.bufferedAmount < HIGH_WATER_BYTES / 2) this.#reader?.resume();
    });
    return this.#client.bufferedAmount < HIGH_WATER_BYTES;
  }

  #send(message: ControlMessage): void {
    const binary = this.#codec === 'msgpack';
    this.#client.send(binary ? encodeMessage(message, 'msgpack') : JSON.stringify(message), { binary });
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
        // An id that has ended produces no events any more; its outcome is sent again as what it was.
        if ('outcome' in submitted) this.#replay(submitted.outcome.id);
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
      case 'ping':
        return this.#send({ type: 'pong' });
      case 'ack':
        return;
    }
  }

  /** The events of an ended execution once more, with the numbers that they have. */
  #replay(execution: string): void {
    const { log } = this.#session;
    new EventReader(
      log,
      this.#session.executions.firstSeqOf(execution),
      { write: (event) => this.#sendEvent(event) || true, end: () => undefined },
      {
        execution,
        running: () => false,
      },
    );
  }

  #problem(error: unknown, names: { request?: RequestId; execution?: string }): void {
    this.#send({ type: 'problem', ...names, problem: asReplPoolError(error).toProblem() });
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
