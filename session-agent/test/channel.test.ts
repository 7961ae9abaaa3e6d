import assert from 'node:assert/strict';
import { once } from 'node:events';
import { CHANNEL_JSON, CHANNEL_MSGPACK, decodeMessage, encodeMessage, type ServerMessage } from '@replpool/protocol';
import { WebSocket } from 'ws';
import { RealAgent } from './real-agent.ts';

/** A client of the channel that keeps all it was sent. */
class Client {
  readonly socket: WebSocket;
  readonly #codec: 'json' | 'msgpack';
  readonly #messages: ServerMessage[] = [];
  #arrived = Promise.withResolvers<void>();

  constructor(agent: RealAgent, session: string, protocols: string[], from?: number) {
    const query = from === undefined ? '' : `?from=${from}`;
    const url = `${agent.url.replace('http', 'ws')}/v1/sessions/${session}/channel${query}`;
    this.#codec = protocols[0] === CHANNEL_MSGPACK ? 'msgpack' : 'json';
    this.socket = new WebSocket(url, protocols, { headers: agent.headers });
    this.socket.on('message', (data: Buffer) => {
      this.#messages.push(decodeMessage(data, this.#codec) as ServerMessage);
      this.#arrived.resolve();
      this.#arrived = Promise.withResolvers();
    });
  }

  send(message: unknown): void {
    this.socket.send(encodeMessage(message, this.#codec));
  }

  /** The first message of this type, now or later. */
  async wait<T extends ServerMessage['type']>(type: T): Promise<Extract<ServerMessage, { type: T }>> {
    for (;;) {
      const found = this.#messages.find((message) => message.type === type);
      if (found) return found as Extract<ServerMessage, { type: T }>;
      await this.#arrived.promise;
    }
  }

  get seqs(): number[] {
    return this.#messages.flatMap((message) => ('seq' in message && message.type !== 'hello' ? [message.seq] : []));
  }
}

describe('the channel', () => {
  let agent: RealAgent;
  let session: string;

  before(async function () {
    this.timeout(120_000);
    agent = await RealAgent.start({ sessions: { minIdle: 1 } });
  });
  after(() => agent.close());
  beforeEach(async () => {
    session = (await agent.session()).id;
  });

  for (const protocol of [CHANNEL_JSON, CHANNEL_MSGPACK]) {
    it(`greets, runs code and answers input() over ${protocol}`, async () => {
      const client = new Client(agent, session, [protocol]);
      assert.equal((await client.wait('hello')).session, session);
      client.send({ type: 'execute', id: 'a', code: 'print("é"); input("? ") + "!"' });
      assert.equal((await client.wait('input_request')).prompt, '? ');
      client.send({ type: 'input', execution: 'a', value: 'bo' });
      const { outcome } = await client.wait('finished');
      assert.equal(outcome.stdout, 'é\n');
      assert.equal(outcome.result?.data['text/plain'], "'bo!'");
      client.socket.close();
    });
  }

  it('gives a client that comes back every later event once and in order, and keeps a pending input()', async () => {
    const first = new Client(agent, session, [CHANNEL_JSON]);
    await first.wait('hello');
    first.send({ type: 'execute', id: 'a', code: 'print(1); input()' });
    const { seq } = await first.wait('started');
    await first.wait('input_request');
    first.socket.terminate();
    const second = new Client(agent, session, [CHANNEL_JSON], seq);
    await second.wait('input_request');
    second.send({ type: 'input', execution: 'a', value: '' });
    await second.wait('finished');
    assert.deepEqual(
      second.seqs,
      second.seqs.map((_, index) => seq + 1 + index),
    );
    second.socket.close();
  });

  it('answers what is wrong with a problem that names the field, and goes on', async () => {
    const client = new Client(agent, session, [CHANNEL_JSON]);
    await client.wait('hello');
    client.send({ type: 'complete', request: 'r1', code: 1, cursor: 0 });
    const { request, problem } = await client.wait('problem');
    assert.deepEqual([request, problem.code, problem.details?.field], ['r1', 'INVALID_REQUEST', 'code']);
    client.send({ type: 'ping' });
    await client.wait('pong');
    client.socket.close();
  });

  it('closes with 1007 on what cannot be decoded, and the session goes on', async () => {
    const client = new Client(agent, session, [CHANNEL_JSON]);
    await client.wait('hello');
    client.socket.send('{');
    const [code] = (await once(client.socket, 'close')) as [number];
    assert.equal(code, 1007);
    assert.equal((await agent.run(session, '1')).status, 'ok');
  });

  it('refuses a client that speaks no known subprotocol with 400', async () => {
    const client = new Client(agent, session, ['replpool.v9']);
    client.socket.on('error', () => undefined);
    const [, response] = (await once(client.socket, 'unexpected-response')) as [unknown, { statusCode: number }];
    assert.equal(response.statusCode, 400);
    client.socket.terminate();
  });

  it('lets all clients see all events', async () => {
    const clients = [new Client(agent, session, [CHANNEL_JSON]), new Client(agent, session, [CHANNEL_MSGPACK])];
    for (const client of clients) await client.wait('hello');
    await agent.run(session, 'print("for all")');
    for (const client of clients) assert.equal((await client.wait('stdout')).data, 'for all\n');
    for (const client of clients) client.socket.close();
  });
});
