import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { closeServer } from '../src/index.ts';

async function serve() {
  const asked = Promise.withResolvers<ServerResponse>();
  const server = createServer((_request, response) => asked.resolve(response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { server, asked: asked.promise, url: `http://127.0.0.1:${address.port}/` };
}

describe('a server that closes', () => {
  it('lets an answer end that is under way, and then ends its connection', async () => {
    const { server, asked, url } = await serve();
    const answer = fetch(url).then((response) => response.text());
    const response = await asked;
    const closed = closeServer(server, 60_000);
    response.end('whole');
    assert.equal(await answer, 'whole');
    await closed;
  });

  it('cuts an answer that does not end', async () => {
    const { server, asked, url } = await serve();
    const answer = fetch(url);
    await asked;
    await closeServer(server, 10);
    await assert.rejects(answer, { name: 'TypeError' });
  });
});
