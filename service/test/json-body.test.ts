import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect } from 'node:net';
import { BODY_LIMIT, readJson, sendProblem, toReplPoolError } from '../src/index.ts';

describe('a JSON body', () => {
  let server: Server;
  let url: string;
  let failed = Promise.withResolvers<unknown>();

  before(async () => {
    server = createServer((request, response) => {
      readJson(request).then(
        (body) => response.end(JSON.stringify(body)),
        (error: unknown) => {
          failed.resolve(error);
          sendProblem(response, toReplPoolError(error));
        },
      );
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/`;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  beforeEach(() => {
    failed = Promise.withResolvers();
  });

  const post = (body: NonNullable<RequestInit['body']>, type?: string) =>
    fetch(url, {
      method: 'POST',
      body,
      duplex: 'half',
      ...(type !== undefined && { headers: { 'content-type': type } }),
    });
  const json = 'application/json; charset=utf-8';

  const refused = [
    { name: 'not JSON', body: Buffer.from('{'), type: json, status: 400 },
    { name: 'not UTF-8', body: Buffer.from('"\xff"', 'latin1'), type: json, status: 400 },
    { name: 'of another type', body: Buffer.from('a=1'), type: 'application/x-www-form-urlencoded', status: 415 },
    { name: 'of no type, as a web page can send it anywhere', body: Buffer.from('{}'), type: undefined, status: 415 },
    { name: 'announced too large', body: Buffer.alloc(BODY_LIMIT + 1), type: json, status: 413 },
  ];
  for (const { name, body, type, status } of refused) {
    it(`that is ${name} is refused with ${status}`, async () => {
      const response = await post(body, type);
      assert.equal(response.status, status);
      assert.equal(response.headers.get('content-type'), 'application/problem+json');
      await response.body?.cancel();
    });
  }

  it('that is empty counts as an empty object', async () => {
    assert.deepEqual(await (await fetch(url, { method: 'POST' })).json(), {});
  });

  it('that grows too large in chunks is refused with an answer that can be read', async () => {
    const chunk = new Uint8Array(1024 * 1024);
    async function* chunks() {
      for (let sent = 0; sent < 2 * BODY_LIMIT; sent += chunk.length) yield chunk;
    }
    const response = await post(ReadableStream.from(chunks()), json);
    assert.equal(response.status, 413);
    assert.equal(((await response.json()) as { code: string }).code, 'PAYLOAD_TOO_LARGE');
  });

  it('that stops half way holds nothing up for ever: the request ends with its client', async () => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.write(`POST / HTTP/1.1\r\nhost: here\r\ncontent-type: ${json}\r\ncontent-length: 100\r\n\r\n{`);
    await once(server, 'request');
    socket.destroy();
    assert.match(String(await failed.promise), /went away|aborted/);
  });
});
