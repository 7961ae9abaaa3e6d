import { once } from 'node:events';
import {
  CHANNEL_JSON,
  CHANNEL_MSGPACK,
  decodeMessage,
  type Execution,
  encodeMessage,
  type ServerMessage,
} from '@replpool/protocol';
import { WebSocket } from 'ws';

type Events<T extends ServerMessage['type']> = Extract<ServerMessage, { type: T }>;

/** A client of the channel; it keeps what it was sent unless it is told not to. */
export class ChannelClient {
  readonly socket: WebSocket;
  readonly #codec: 'json' | 'msgpack';
  readonly #keep: boolean;
  readonly #messages: ServerMessage[] = [];
  readonly #waiting = new Map<string, { started(): void; finished(outcome: Execution): void }>();
  #arrived = Promise.withResolvers<void>();

  constructor(
    agent: { url: string; headers: Record<string, string> },
    session: string,
    options: { protocols?: string[]; from?: number; keep?: boolean } = {},
  ) {
    const { protocols = [CHANNEL_JSON], from, keep = true } = options;
    const query = from === undefined ? '' : `?from=${from}`;
    const url = `${agent.url.replace('http', 'ws')}/v1/sessions/${session}/channel${query}`;
    this.#codec = protocols[0] === CHANNEL_MSGPACK ? 'msgpack' : 'json';
    this.#keep = keep;
    this.socket = new WebSocket(url, protocols, { headers: agent.headers });
    this.socket.on('message', (data: Buffer) => this.#received(decodeMessage(data, this.#codec) as ServerMessage));
  }

  /** Resolves when the upgrade has been accepted. */
  async opened(): Promise<this> {
    await once(this.socket, 'open');
    return this;
  }

  send(message: unknown): void {
    this.socket.send(encodeMessage(message, this.#codec));
  }

  /** Runs code; many executions can be under way. */
  execute(id: string, code: string): { started: Promise<void>; finished: Promise<Execution> } {
    const started = Promise.withResolvers<void>();
    const finished = Promise.withResolvers<Execution>();
    this.#waiting.set(id, { started: started.resolve, finished: finished.resolve });
    this.send({ type: 'execute', id, code });
    return { started: started.promise, finished: finished.promise };
  }

  /** The first message of this type, now or later. */
  async wait<T extends ServerMessage['type']>(
    type: T,
    where: (found: Events<T>) => boolean = () => true,
  ): Promise<Events<T>> {
    for (;;) {
      const found = this.#messages.find((message) => message.type === type && where(message as Events<T>));
      if (found) return found as Events<T>;
      await this.#arrived.promise;
    }
  }

  /** The numbers of the events so far. */
  get seqs(): number[] {
    return this.#messages.flatMap((message) => ('seq' in message && message.type !== 'hello' ? [message.seq] : []));
  }

  get messages(): readonly ServerMessage[] {
    return this.#messages;
  }

  close(): void {
    this.socket.close();
  }

  #received(message: ServerMessage): void {
    if (message.type === 'started') this.#waiting.get(message.execution)?.started();
    if (message.type === 'finished') {
      this.#waiting.get(message.execution)?.finished(message.outcome);
      this.#waiting.delete(message.execution);
    }
    if (this.#keep) this.#messages.push(message);
    this.#arrived.resolve();
    this.#arrived = Promise.withResolvers();
  }
}
