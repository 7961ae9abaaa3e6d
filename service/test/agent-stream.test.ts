import assert from 'node:assert/strict';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AgentStream, type StreamListener } from '../src/index.ts';

const BEAT = '{"type":"heartbeat"}\n';
/** Pauses after offences are a second and then more; without one it is tried again every 50 ms. */
const WATCHED_MS = 450;

/** An agent that says what the test wants on each connection, and a stream to it. */
async function listenTo(say: (response: ServerResponse) => void, sessions?: boolean) {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    say(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const it = { connections: 0, messages: 0 };
  const failed = Promise.withResolvers<unknown>();
  const listener: StreamListener = {
    connecting: () => {
      it.connections += 1;
    },
    message: () => {
      it.messages += 1;
    },
    silent: () => undefined,
    refused: () => undefined,
    failed: (error) => failed.resolve(error),
  };
  const endpoint = { pod: 'p', pool: 'team:data', url: `http://127.0.0.1:${port}` };
  const stream = new AgentStream(endpoint, listener, sessions === undefined ? {} : { sessions });
  const close = async () => {
    stream[Symbol.dispose]();
    server.close();
    server.closeAllConnections();
  };
  return Object.assign(it, { failed: failed.promise, [Symbol.asyncDispose]: close });
}

/** Says it again and again, as fast as it is read. */
function endlessly(text: string, chunks = Number.POSITIVE_INFINITY) {
  return (response: ServerResponse): void => {
    let left = chunks;
    const go = (): void => {
      while (left > 0 && !response.destroyed) {
        left -= 1;
        if (!response.write(text)) {
          response.once('drain', go);
          return;
        }
      }
    };
    go();
  };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('the stream of an agent that means harm', () => {
  it('is cut where a line has no end, long before it fills the memory', async () => {
    for (const sessions of [false, true]) {
      // Twice what a router takes: unless it is cut it is an agent that says nothing any more.
      await using agent = await listenTo(endlessly('a'.repeat(65_536), 512), sessions);
      assert.match(String(await agent.failed), /breaks the protocol.*longer than/);
    }
  });

  it('is cut where it says more than it can have to say', async () => {
    await using agent = await listenTo(endlessly(BEAT.repeat(2_000)), false);
    assert.match(String(await agent.failed), /too many messages/);
    assert.ok(agent.messages < 10_000, String(agent.messages));
  });

  it('is cut where the end of a line comes a character at a time', async () => {
    // Each a chunk of its own, or the socket would join them.
    const drop = (response: ServerResponse): void => {
      response.write('a', () => setImmediate(() => !response.destroyed && drop(response)));
    };
    await using agent = await listenTo(drop, false);
    assert.match(String(await agent.failed), /too many messages/);
  });

  it('is taken up again only after a pause, whatever it said before', async () => {
    await using agent = await listenTo((response) => response.write(`${BEAT}nonsense\n`));
    assert.match(String(await agent.failed), /breaks the protocol/);
    await pause(WATCHED_MS);
    assert.equal(agent.connections, 1);
    assert.equal(agent.messages, 1);
  });

  it('is not to be had every 50 ms by saying one word on each connection', async () => {
    await using agent = await listenTo((response) => response.end(BEAT));
    await agent.failed;
    await pause(1_000);
    assert.ok(agent.connections < 10, String(agent.connections));
  });
});
