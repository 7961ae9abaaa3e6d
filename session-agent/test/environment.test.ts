import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type ReplPoolSpecInput, replPoolSpecSchema, type Session } from '@replpool/protocol';
import { Environment } from '../src/environment/environment.ts';
import { resolveEnvironment } from '../src/environment/resolve.ts';
import { AgentProcess } from './agent-process.ts';

type Objects = Record<string, Record<string, string>>;

/** What a kubelet makes of Secrets and ConfigMaps that are volumes; `write` changes one as a kubelet does. */
class Volumes implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'replpool-env-'));
  #version = 0;

  write(object: string, values: Record<string, string | Buffer>): void {
    const folder = join(this.folder, object);
    this.#version += 1;
    const version = `..version-${this.#version}`;
    mkdirSync(join(folder, version), { recursive: true });
    for (const [key, value] of Object.entries(values)) {
      writeFileSync(join(folder, version, key), value);
      rmSync(join(folder, key), { force: true });
      symlinkSync(join('..data', key), join(folder, key));
    }
    symlinkSync(version, join(folder, '..next'));
    renameSync(join(folder, '..next'), join(folder, '..data'));
    rmSync(join(folder, `..version-${this.#version - 1}`), { recursive: true, force: true });
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true });
  }
}

const runtimeOf = (runtime: NonNullable<ReplPoolSpecInput['runtime']>) => replPoolSpecSchema.parse({ runtime }).runtime;

describe('the variables of a pool', () => {
  const resolve = (runtime: NonNullable<ReplPoolSpecInput['runtime']>, objects: Objects = {}) =>
    resolveEnvironment(
      runtimeOf(runtime),
      ({ kind, name }) => new Map(Object.entries(objects[`${kind}/${name}`] ?? {})),
    );

  it('have values of their own, or a key of an object', () => {
    const env = [
      { name: 'A', value: '1' },
      { name: 'B', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } },
      { name: 'C', valueFrom: { configMapKeyRef: { name: 'c', key: 'k' } } },
      { name: 'D' },
    ];
    const objects = { 'Secret/s': { k: 'secret' }, 'ConfigMap/c': { k: 'mapped' } };
    assert.deepEqual(resolve({ env }, objects), { A: '1', B: 'secret', C: 'mapped', D: '' });
  });

  it('are all keys of a source, with its prefix, but for those that are no names', () => {
    const objects = { 'ConfigMap/c': { plain: '1', 'with.dot-and-dash': '2', '9lives': '3' } };
    assert.deepEqual(resolve({ envFrom: [{ configMapRef: { name: 'c' } }] }, objects), {
      plain: '1',
      'with.dot-and-dash': '2',
    });
    assert.deepEqual(resolve({ envFrom: [{ prefix: 'P_', configMapRef: { name: 'c' } }] }, objects), {
      P_plain: '1',
      'P_with.dot-and-dash': '2',
      P_9lives: '3',
    });
  });

  it('win over sources, the later over the earlier', () => {
    const envFrom = [{ configMapRef: { name: 'c' } }, { secretRef: { name: 's' } }];
    const objects = { 'ConfigMap/c': { A: 'c', B: 'c', C: 'c' }, 'Secret/s': { B: 's', C: 's' } };
    const env = [
      { name: 'C', value: 'first' },
      { name: 'C', value: 'last' },
    ];
    assert.deepEqual(resolve({ envFrom, env }, objects), { A: 'c', B: 's', C: 'last' });
  });

  it('are left out where they may be missing, and else missed by name', () => {
    const ref = { name: 's', key: 'k' };
    const optional = { name: 'A', valueFrom: { secretKeyRef: { ...ref, optional: true } } };
    assert.deepEqual(resolve({ env: [optional], envFrom: [{ secretRef: { name: 's', optional: true } }] }), {});
    assert.throws(() => resolve({ env: [{ name: 'A', valueFrom: { secretKeyRef: ref } }] }), /Secret s has no key k/);
    assert.throws(() => resolve({ envFrom: [{ configMapRef: { name: 'c' } }] }), /ConfigMap c is missing/);
  });
});

describe('variables from files', () => {
  const runtime = runtimeOf({ envFrom: [{ secretRef: { name: 's' } }] });

  it('are all of one version, whenever it changes while they are read', async () => {
    using volumes = new Volumes();
    const object = 'secrets/s';
    volumes.write(object, { USER: '0', PASSWORD: '0' });
    const environment = new Environment(runtime, volumes.folder);
    for (let version = 1; version <= 50; version += 1) {
      const read = environment.ofSession();
      for (let turn = 0; turn < version % 10; turn += 1) await nextTurn();
      volumes.write(object, { USER: `${version}`, PASSWORD: `${version}` });
      const { USER, PASSWORD } = await read;
      assert.equal(USER, PASSWORD);
    }
  });

  it('are text, which alone a variable can hold', async () => {
    using volumes = new Volumes();
    for (const value of [Buffer.from([0xff]), 'a\0b']) {
      volumes.write('secrets/s', { KEY: value });
      await assert.rejects(new Environment(runtime, volumes.folder).ofZygote(), /Secret s cannot be read: .*KEY/);
    }
  });

  it('unset in a session what its zygote had and the object has no more', async () => {
    using volumes = new Volumes();
    volumes.write('secrets/s', { KEPT: '1', GONE: '1' });
    const environment = new Environment(runtime, volumes.folder);
    await environment.ofZygote();
    volumes.write('secrets/s', { KEPT: '2' });
    rmSync(join(volumes.folder, 'secrets/s/GONE'));
    assert.deepEqual(await environment.ofSession(), { KEPT: '2', GONE: null });
  });
});

describe('a session', function () {
  this.timeout(60_000);
  const print = "import os; os.environ.get('PASSWORD'), os.environ.get('OWN'), os.environ.get('GONE')";
  const spec: ReplPoolSpecInput = {
    runtime: { envFrom: [{ secretRef: { name: 'db' } }], warmupCode: 'import os; os.environ["PASSWORD"]' },
    templates: [{ name: 'own', env: [{ name: 'OWN', value: 'of the template' }] }],
    sessions: { minIdle: 1 },
  };

  it('has what a Secret says when it begins, though it was forked before, and keeps it', async () => {
    using volumes = new Volumes();
    volumes.write('secrets/db', { PASSWORD: 'old', GONE: 'soon' });
    await using agent = await AgentProcess.start(spec, { environment: volumes.folder });
    const first = await agent.session();
    assert.equal(await shown(agent, first), "('old', None, 'soon')");
    volumes.write('secrets/db', { PASSWORD: 'new' });
    assert.equal(await shown(agent, await agent.session({ template: 'own' })), "('new', 'of the template', None)");
    assert.equal(await shown(agent, await agent.session({ env: { PASSWORD: 'mine' } })), "('mine', None, None)");
    await agent.post(`/v1/sessions/${first.id}/restart`, {});
    assert.equal(await shown(agent, first), "('old', None, 'soon')", 'after a restart too');
  });

  it('finds nothing of it in the agent, nor in what started its zygote', async () => {
    using volumes = new Volumes();
    volumes.write('secrets/db', { PASSWORD: 'old' });
    await using agent = await AgentProcess.start(spec, { environment: volumes.folder });
    const { id } = await agent.session();
    const code = `import os
launcher = next(pid for pid in os.listdir('/proc') if pid.isdigit() and b'replpool_worker\\0launcher' in open(f'/proc/{pid}/cmdline', 'rb').read() and os.stat(f'/proc/{pid}').st_uid == os.getuid() and f'PPid:\\t${agent.pid}\\n' in open(f'/proc/{pid}/status').read())
[b'PASSWORD' in open(f'/proc/{pid}/environ', 'rb').read() for pid in (launcher, ${agent.pid})]`;
    assert.equal((await agent.run(id, code)).result?.data['text/plain'], '[False, False]');
  });

  it('is not to be had while a Secret is missing, and the agent says which', async () => {
    using volumes = new Volumes();
    await assert.rejects(AgentProcess.start(spec, { environment: volumes.folder }), /Secret db is missing/);
  });

  async function shown(agent: AgentProcess, { id }: Session): Promise<unknown> {
    return (await agent.run(id, print)).result?.data['text/plain'];
  }
});
