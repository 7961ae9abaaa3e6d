import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { exitCodeOfStatus } from '../src/client/problem.ts';
import { ExitCode } from '../src/failure.ts';
import { exitCodeOfOutcome } from '../src/outcome.ts';
import { target } from '../src/target.ts';
import { VERSION } from '../src/version.ts';
import { kubectlReplpool, replpool } from './support/replpool.ts';

describe('replpool', () => {
  const wrong: [string, string[], RegExp][] = [
    ['an unknown command', ['fly'], /unknown command 'fly'/],
    ['an unknown option', ['dev', '--wings'], /unknown option '--wings'/],
    ['a missing argument', ['run'], /missing required argument 'file'/],
    ['a port that is none', ['dev', '--port', '70000'], /must be a whole number from 0 to 65535/],
    ['no agents', ['dev', '--agents', '0'], /must be a whole number from 1/],
    ['a pool file that is not there', ['dev', '-f', '/does/not/exist.yaml'], /cannot read \/does\/not\/exist\.yaml/],
    ['a code file that is not there', ['run', '/does/not/exist.py'], /cannot read \/does\/not\/exist\.py/],
    ['a URL that is none', ['run', '-', '--url', 'ftp://x'], /'ftp:\/\/x' is not an http or https URL/],
    ['a key file that is not there', ['run', '-', '--api-key-file', '/does/not/exist'], /cannot read the key/],
    [
      'a key file that holds no key',
      ['run', '-', '--api-key-file', '/etc/passwd'],
      /what \/etc\/passwd holds is no key/,
    ],
    ['a duration that is none', ['report', '--since', 'yesterday'], /is written as 90s, 30m, 24h or 7d/],
    ['an unknown output', ['status', '-o', 'xml'], /Allowed choices are table, wide, json, yaml/],
    ['two keys', ['repl', '--api-key', 'a', '--api-key-file', 'b'], /not both/],
    ['keys that are not there', ['dev', '--api-keys', '/does/not/exist.json'], /cannot read the keys/],
  ];
  for (const [what, args, message] of wrong) {
    it(`ends with 2 and says why on ${what}`, async () => {
      const { code, stderr, stdout } = await replpool(args);
      assert.match(stderr, message);
      assert.equal(code, ExitCode.wrongUse);
      assert.equal(stdout, '');
    });
  }

  it('shows its help with 0', async () => {
    const { code, stdout } = await replpool(['--help']);
    assert.equal(code, 0);
    assert.match(stdout, /dev .*\n[\s\S]*run .*\n[\s\S]*repl /);
  });

  it('is of the version that its package says', async () => {
    const { version } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8')) as {
      version: string;
    };
    assert.equal(VERSION, version);
  });

  it("is kubectl's plugin too, with the commands on a cluster alone", async () => {
    const { code, stdout } = await kubectlReplpool(['--help']);
    assert.equal(code, 0);
    assert.match(
      stdout,
      /Usage: kubectl replpool [\s\S]*status .*\n[\s\S]*sessions .*\n[\s\S]*drain .*\n[\s\S]*report /,
    );
    assert.equal((await kubectlReplpool(['dev'])).code, ExitCode.wrongUse);
  });

  it('ends with 3 and says how to start a service where none answers', async () => {
    const { code, stderr } = await replpool(['run', '-', '--url', 'http://127.0.0.1:9'], 'print(1)');
    assert.equal(code, ExitCode.serviceFailed);
    assert.match(stderr, /nothing answers at http:\/\/127\.0\.0\.1:9[\s\S]*replpool dev/);
  });

  it('dev ends with 3 at once where the port is in use', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const { code, stderr } = await replpool(['dev', '--port', `${port}`]);
    server.close();
    assert.equal(code, ExitCode.serviceFailed);
    assert.match(stderr, new RegExp(`port ${port} on 127\\.0\\.0\\.1 is in use[\\s\\S]*--port 0`));
  });
});

describe('the exit status', () => {
  it('is 2 for a request that was refused as wrong, and 3 for a service that cannot now', () => {
    assert.deepEqual([400, 401, 403, 404, 413].map(exitCodeOfStatus), [2, 2, 2, 2, 2]);
    assert.deepEqual([408, 410, 421, 429, 500, 503, 504].map(exitCodeOfStatus), [3, 3, 3, 3, 3, 3, 3]);
  });

  it('is 1 for an error in the code, however it ended, and 130 for an interrupted one', () => {
    assert.deepEqual((['error', 'timeout', 'killed'] as const).map(exitCodeOfOutcome), [1, 1, 1]);
    assert.deepEqual((['ok', 'interrupted', 'lost', 'cancelled'] as const).map(exitCodeOfOutcome), [0, 130, 3, 3]);
  });
});

describe('the target', () => {
  it('is --url, else $REPLPOOL_URL, else this machine', () => {
    const env = { REPLPOOL_URL: 'https://b.example/base', REPLPOOL_API_KEY: 'k' };
    assert.equal(target({ url: 'http://a:1' }, env).url.href, 'http://a:1/');
    assert.equal(target({}, env).url.href, 'https://b.example/base/');
    assert.equal(target({}, {}).url.href, 'http://127.0.0.1:8080/');
    assert.equal(target({}, env).apiKey, 'k');
    assert.equal(target({ apiKey: 'own' }, env).apiKey, 'own');
    assert.equal(target({}, { REPLPOOL_URL: '', REPLPOOL_API_KEY: '' }).apiKey, undefined);
  });
});
