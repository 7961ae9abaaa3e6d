import assert from 'node:assert/strict';
import { requestHeaders } from '../src/forward-headers.ts';
import { foreignReason } from '../src/loopback.ts';
import { parseSessionPath } from '../src/session-path.ts';
import { Tombstones } from '../src/tombstones.ts';
import { ids } from './harness.ts';

describe('Host and Origin in mode none', () => {
  for (const host of ['localhost:8080', '127.0.0.1:8080', '[::1]:8080', '127.3.2.1', 'LOCALHOST']) {
    it(`admits the Host ${host}`, () => assert.equal(foreignReason(host, undefined), undefined));
  }
  for (const host of [
    undefined,
    '',
    'evil.example',
    'localhost.evil.example:8080',
    '127.0.0.1.evil.example',
    '10.0.0.1',
    'a@localhost',
  ]) {
    it(`refuses the Host ${host}`, () => assert.ok(foreignReason(host, undefined)));
  }
  it('admits the Origin of its own pages only', () => {
    assert.equal(foreignReason('127.0.0.1:8080', 'http://localhost:8080'), undefined);
    for (const origin of ['http://localhost:3000', 'https://evil.example', 'null', 'http://evil.example:8080', '']) {
      assert.ok(foreignReason('127.0.0.1:8080', origin), origin);
    }
  });
});

describe('the path of a session', () => {
  it('keeps what follows the id as it was written', () => {
    const path = parseSessionPath(`/v1/sessions/${ids.a.toUpperCase()}/files/a%2Fb%20c?x=1`);
    assert.deepEqual(path, {
      id: ids.a,
      rest: '/files/a%2Fb%20c',
      target: `/v1/sessions/${ids.a}/files/a%2Fb%20c?x=1`,
    });
  });
  it('refuses what an agent could read as another session', () => {
    for (const way of ['/..', '/../x', '/%2e%2E/x', '/files/../../x', '/.%2e', '\\..\\x', '/./x']) {
      assert.equal(parseSessionPath(`/v1/sessions/${ids.a}${way}`), 'dot-segment', way);
    }
  });
});

describe('headers to an agent', () => {
  it('drop credentials, hop headers and what only the router says', () => {
    const raw = ['Host', 'x', 'Authorization', 'Bearer secret', 'Replpool-Owner', 'root', 'Connection', 'x-hop'];
    raw.push('X-Hop', '1', 'Transfer-Encoding', 'chunked', 'traceparent', '00-1', 'X-Forwarded-For', '1.2.3.4');
    assert.deepEqual(requestHeaders(raw, { token: 't', owner: 'ann', epoch: 3 }), [
      ...['traceparent', '00-1', 'authorization', 'Bearer t', 'replpool-owner', 'ann', 'replpool-epoch', '3'],
    ]);
  });
});

describe('the owner in the headers to an agent', () => {
  it('is any text as ASCII, and left out where all may be seen', () => {
    const said = requestHeaders([], { token: 't', owner: 'Łukasz\r\nx: y' });
    assert.deepEqual(said.slice(2), ['replpool-owner', '%C5%81ukasz%0D%0Ax%3A%20y']);
    assert.deepEqual(requestHeaders([], { token: 't', owner: undefined }), ['authorization', 'Bearer t']);
  });
});

describe('tombstones', () => {
  it('forget the one least recently asked for', () => {
    const stones = new Tombstones(2);
    stones.put('a', { reason: 'node' });
    stones.put('b', { reason: 'node' });
    stones.get('a');
    stones.put('c', { reason: 'node' });
    assert.deepEqual([stones.get('a')?.reason, stones.get('b')], ['node', undefined]);
  });

  it('of one pool do not drive out those of another', () => {
    const stones = new Tombstones(1);
    stones.put('a', { reason: 'node', of: { owner: 'ann', pool: 'team:data' } });
    for (const id of ['b', 'c', 'd']) stones.put(id, { reason: 'deleted', of: { owner: 'ann', pool: 'evil:data' } });
    assert.deepEqual(
      [stones.get('a')?.reason, stones.get('c'), stones.get('d')?.reason],
      ['node', undefined, 'deleted'],
    );
  });
});
