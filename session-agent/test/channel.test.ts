import assert from 'node:assert/strict';
import { once } from 'node:events';
import { CHANNEL_JSON, CHANNEL_MSGPACK } from '@replpool/protocol';
import { ChannelClient } from './channel-client.ts';
import { RealAgent } from './real-agent.ts';

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
      const client = new ChannelClient(agent, session, { protocols: [protocol] });
      assert.equal((await client.wait('hello')).session, session);
      client.send({ type: 'execute', id: 'a', code: 'print("é"); input("? ") + "!"' });
      assert.equal((await client.wait('input_request')).prompt, '? ');
      client.send({ type: 'input', execution: 'a', value: 'bo' });
      const { outcome } = await client.wait('finished');
      assert.equal(outcome.stdout, 'é\n');
      assert.equal(outcome.result?.data['text/plain'], "'bo!'");
      client.close();
    });
  }

  it('gives a client that comes back every later event once and in order, and keeps a pending input()', async () => {
    const first = new ChannelClient(agent, session);
    await first.wait('hello');
    first.send({ type: 'execute', id: 'a', code: 'print(1); input()' });
    const { seq } = await first.wait('started');
    await first.wait('input_request');
    first.socket.terminate();
    const second = new ChannelClient(agent, session, { from: seq });
    await second.wait('input_request');
    second.send({ type: 'input', execution: 'a', value: '' });
    await second.wait('finished');
    assert.deepEqual(
      second.seqs,
      second.seqs.map((_, index) => seq + 1 + index),
    );
    second.close();
  });

  it('answers what is wrong with a problem that names the field, and goes on', async () => {
    const client = new ChannelClient(agent, session);
    await client.wait('hello');
    client.send({ type: 'complete', request: 'r1', code: 1, cursor: 0 });
    const { request, problem } = await client.wait('problem');
    assert.deepEqual([request, problem.code, problem.details?.field], ['r1', 'INVALID_REQUEST', 'code']);
    client.send({ type: 'ping' });
    await client.wait('pong');
    client.close();
  });

  it('closes with 1007 on what cannot be decoded, and the session goes on', async () => {
    const client = new ChannelClient(agent, session);
    await client.wait('hello');
    client.socket.send('{');
    const [code] = (await once(client.socket, 'close')) as [number];
    assert.equal(code, 1007);
    assert.equal((await agent.run(session, '1')).status, 'ok');
  });

  it('refuses a client that speaks no known subprotocol with 400', async () => {
    const client = new ChannelClient(agent, session, { protocols: ['replpool.v9'] });
    client.socket.on('error', () => undefined);
    const [, response] = (await once(client.socket, 'unexpected-response')) as [unknown, { statusCode: number }];
    assert.equal(response.statusCode, 400);
    client.socket.terminate();
  });

  it('lets all clients see all events', async () => {
    const clients = [
      new ChannelClient(agent, session),
      new ChannelClient(agent, session, { protocols: [CHANNEL_MSGPACK] }),
    ];
    for (const client of clients) await client.wait('hello');
    await agent.run(session, 'print("for all")');
    for (const client of clients) assert.equal((await client.wait('stdout')).data, 'for all\n');
    for (const client of clients) client.close();
  });
});
