import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CHANNEL_JSON } from '@replpool/protocol';
import { WebSocket } from 'ws';
import { DevService } from './support/dev-service.ts';
import { examples, replpool } from './support/replpool.ts';

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

interface Listed {
  readonly items: readonly { readonly id: string }[];
}

describe('replpool dev --api-keys', function () {
  this.timeout(180_000);
  let dev: DevService;
  let folder = '';
  let url = '';
  /** Of ann, and of bob. */
  let own = '';
  let others = '';

  before(async () => {
    folder = await mkdtemp(join('/tmp', 'rp-keys-'));
    const sha256 = (name: string): string => createHash('sha256').update(`${name}-key`).digest('hex');
    const keys = ['ann', 'bob', 'root'].map((name) => ({ name, sha256: sha256(name), admin: name === 'root' }));
    await writeFile(join(folder, 'keys.json'), JSON.stringify(keys));
    dev = await DevService.start(['-f', `${examples}python.yaml`, '--api-keys', join(folder, 'keys.json')]);
    url = await dev.url();
    own = String((await call('POST', '/v1/sessions', 'ann', {})).body.id);
    others = String((await call('POST', '/v1/sessions', 'bob', {})).body.id);
  });
  after(async () => {
    await dev[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  async function call(method: string, path: string, name?: string, body?: object): Promise<Answer> {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        'content-type': 'application/json',
        ...(name === undefined ? {} : { authorization: `Bearer ${name}-key` }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text === '' ? {} : JSON.parse(text) };
  }

  /** What an attempt at the session's channel gets: its first message, or the status of the refusal. */
  async function channel(session: string, name?: string): Promise<{ status: number; type?: string }> {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/sessions/${session}/channel`, [CHANNEL_JSON], {
      headers: name === undefined ? {} : { authorization: `Bearer ${name}-key` },
    });
    const refused = once(socket, 'unexpected-response').then(([, response]) => ({
      status: (response as { statusCode: number }).statusCode,
    }));
    const said = once(socket, 'message').then(([data]) => ({
      status: 101,
      type: (JSON.parse(String(data)) as { type: string }).type,
    }));
    refused.catch(() => undefined);
    said.catch(() => undefined);
    try {
      return await Promise.race([refused, said]);
    } finally {
      socket.on('error', () => undefined).terminate();
    }
  }

  for (const [what, name] of [
    ['no key', undefined],
    ['a wrong key', 'eve'],
  ] as const) {
    it(`answers 401 with WWW-Authenticate to ${what}, on every path and on the channel`, async () => {
      const paths = ['/v1/sessions', '/v1/pools', `/v1/sessions/${own}`, `/v1/sessions/${own}/variables`];
      for (const path of paths) {
        const { status, headers, body } = await call('GET', path, name);
        assert.deepEqual([path, status, body.code], [path, 401, 'UNAUTHENTICATED']);
        assert.match(headers.get('www-authenticate') ?? '', /^Bearer/);
      }
      assert.equal((await call('POST', '/v1/sessions', name, {})).status, 401);
      assert.equal((await call('POST', '/v1/run', name, { code: '1' })).status, 401);
      assert.deepEqual(await channel(own, name), { status: 401 });
    });
  }

  it('serves the owner, over the channel too', async () => {
    const { status, body } = await call('POST', `/v1/sessions/${own}/executions`, 'ann', {
      code: 'secret = 6 * 7\nsecret',
    });
    assert.equal(status, 200);
    assert.equal((body.result as { data: Record<string, string> }).data['text/plain'], '42');
    assert.deepEqual(await channel(own, 'ann'), { status: 101, type: 'hello' });
  });

  it("answers 403 to who asks for another owner's session, and leaves it as it is", async () => {
    const at = `/v1/sessions/${own}`;
    const attempts: [string, string, object?][] = [
      ['GET', at],
      ['PATCH', at, { name: 'mine' }],
      ['DELETE', at],
      ['POST', `${at}/executions`, { code: 'secret = 0' }],
      ['GET', `${at}/executions`],
      ['GET', `${at}/variables`],
      ['GET', `${at}/variables/secret`],
      ['POST', `${at}/complete`, { code: 'sec', cursor: 3 }],
      ['GET', `${at}/files`],
      ['POST', `${at}/interrupt`],
      ['POST', `${at}/restart`],
      ['POST', '/v1/sessions', { id: own }],
    ];
    for (const [method, path, body] of attempts) {
      const answer = await call(method, path, 'bob', body);
      assert.deepEqual([method, path, answer.status, answer.body.code], [method, path, 403, 'FORBIDDEN']);
    }
    assert.deepEqual(await channel(own, 'bob'), { status: 403 });
    assert.equal((await call('GET', at, 'ann')).body.stateEpoch, 1);
  });

  it('lists only own sessions; an admin sees and may use all', async () => {
    const listed = async (name: string): Promise<string[]> =>
      ((await call('GET', '/v1/sessions', name)).body as unknown as Listed).items.map(({ id }) => id).toSorted();
    assert.deepEqual(await listed('ann'), [own]);
    assert.deepEqual(await listed('bob'), [others]);
    assert.deepEqual(await listed('root'), [own, others].toSorted());
    assert.equal((await call('GET', `/v1/sessions/${own}`, 'root')).status, 200);
    assert.deepEqual(await channel(own, 'root'), { status: 101, type: 'hello' });
  });

  it('answers 404 and not 403 to an id that nobody has', async () => {
    assert.equal((await call('GET', `/v1/sessions/${randomUUID()}`, 'ann')).status, 404);
  });

  it('takes the key of replpool run from $REPLPOOL_API_KEY or --api-key-file, and ends with 2 without one', async () => {
    const run = ['run', '-', '--url', url];
    const file = join(folder, 'key');
    await writeFile(file, 'ann-key\n', { mode: 0o600 });
    assert.equal((await replpool(run, 'print(1)', { REPLPOOL_API_KEY: 'ann-key' })).stdout, '1\n');
    assert.equal((await replpool([...run, '--api-key-file', file], 'print(2)')).stdout, '2\n');
    const { code, stderr } = await replpool(run, 'print(3)');
    assert.equal(code, 2);
    assert.match(stderr, /UNAUTHENTICATED[\s\S]*REPLPOOL_API_KEY/);
  });

  it('says in its banner that keys are needed, and shows none', () => {
    assert.match(dev.stdout, /REPLPOOL_API_KEY/);
    assert.doesNotMatch(dev.stdout, /without authentication|ann-key/);
  });
});
