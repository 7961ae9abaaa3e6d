import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { chartArguments, helmPath } from '../support/helm.ts';
import { kubectl } from '../support/kubectl.ts';
import { Namespace } from '../support/namespace.ts';
import { report } from '../support/report.ts';

const root = join(import.meta.dirname, '../../..');
const SECTIONS = ['Install', 'The first pool', 'Who may do what', 'Metrics', 'Upgrade', 'Uninstall'];

/** The commands of each section: the lines that are indented by four. */
function commandsOf(page: string): Map<string, string> {
  const sections = page.split(/^## /m).slice(1);
  const commands = (section: string) => section.split('\n').filter((line) => line.startsWith('    '));
  return new Map(sections.map((section) => [section.slice(0, section.indexOf('\n')), commands(section).join('\n')]));
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

describe('docs/cluster.md', function () {
  this.timeout(300_000);
  let namespace: Namespace;
  let bin: string;
  let pools: string;
  let page: Map<string, string>;
  let port: number;

  before(async () => {
    page = commandsOf(await readFile(join(root, 'docs/cluster.md'), 'utf8'));
    port = await freePort();
    namespace = await Namespace.create('docs');
    pools = `${namespace.name}-pools`;
    bin = await mkdtemp(join(tmpdir(), 'replpool-docs-'));
    // What a reader has in their PATH; and of Helm's installations only what keeps them apart from other tests.
    const fixed = (await chartArguments(pools)).map((each) => `'${each}'`).join(' ');
    const helm = `case $1 in install|upgrade) set -- "$@" ${fixed} ;; esac\nexec ${await helmPath()} "$@"`;
    for (const [name, script] of [
      ['helm', helm],
      ['kubectl', `exec ${process.env.KUBECTL ?? 'kubectl'} "$@"`],
    ] as const) {
      await writeFile(join(bin, name), `#!/bin/bash\n${script}\n`);
      await chmod(join(bin, name), 0o755);
    }
  });
  afterEach(async function () {
    if (this.currentTest?.state !== 'failed') return;
    await report(namespace.name);
    await report(pools);
  });
  after(async () => {
    await rm(bin, { recursive: true });
    await kubectl('delete', 'namespace', pools, '--ignore-not-found', '--wait=false');
    await namespace[Symbol.asyncDispose]();
  });

  for (const section of SECTIONS) {
    it(`works: ${section}`, async () => {
      const commands = page.get(section)?.replaceAll('8080', String(port)) ?? '';
      assert.notEqual(commands, '');
      const env = {
        ...process.env,
        ...{ PATH: `${bin}:${process.env.PATH}`, RELEASE: 'rp', NAMESPACE: namespace.name, POOLS: pools },
        // Whole names of images are given besides.
        REGISTRY: 'registry.example/replpool',
      };
      const shell = spawn('bash', ['-euo', 'pipefail', '-c', commands], { cwd: root, env });
      const [out, err] = await Promise.all([text(shell.stdout), text(shell.stderr), once(shell, 'close')]);
      assert.equal(shell.exitCode, 0, `${out}\n${err}`);
      if (section === 'The first pool') assert.match(out, /"text\/plain":"42"/);
      if (section === 'Metrics') assert.match(out, /^replpool_agent_up\{/m);
    });
  }
});
