import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { mkdtemp, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { authConfigSchema } from '@replpool/protocol';
import { pino } from 'pino';
import { ApiKeys } from '../src/auth/api-keys.ts';
import { ALL, OWN } from '../src/auth/caller.ts';

const LOOK_MS = 10;
const key = (name: string, admin?: boolean) => ({
  name,
  sha256: hash('sha256', `${name}-key`),
  ...(admin && { admin }),
});

/** A folder with a file of keys behind two symbolic links, as a kubelet mounts a Secret. */
class Mounted implements AsyncDisposable {
  readonly folder: string;
  readonly logged: string[] = [];
  readonly log = pino({}, { write: (line: string) => void this.logged.push(line) });
  #versions = 0;
  #keys: ApiKeys | undefined;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async create(content: unknown): Promise<Mounted> {
    const it = new Mounted(await mkdtemp(join(tmpdir(), 'rp-keys-')));
    await it.mount(content);
    await symlink('..data', join(it.folder, 'keys'));
    return it;
  }

  get path(): string {
    return join(this.folder, 'keys');
  }

  /** Swaps what is mounted at once, as a kubelet does. */
  async mount(content: unknown): Promise<void> {
    const version = `..version-${this.#versions++}`;
    await writeFile(join(this.folder, version), typeof content === 'string' ? content : JSON.stringify(content));
    await symlink(version, join(this.folder, '..next'));
    await rename(join(this.folder, '..next'), join(this.folder, '..data'));
    assert.equal(await readlink(join(this.folder, '..data')), version);
  }

  async open(): Promise<ApiKeys> {
    this.#keys = await ApiKeys.open({ mode: 'apiKeys', keysFile: this.path }, this.log, LOOK_MS);
    return this.#keys;
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#keys?.[Symbol.dispose]();
    await rm(this.folder, { recursive: true });
  }
}

const knows = (keys: ApiKeys, name: string): boolean =>
  'rights' in keys.authenticate({ authorization: `Bearer ${name}-key` });

describe('a file of API keys', () => {
  it('says who is let in, and who is an admin', async () => {
    await using it = await Mounted.create([key('ann'), key('root', true)]);
    const keys = await it.open();
    assert.deepEqual(keys.authenticate({ authorization: 'Bearer ann-key' }), { name: 'ann', rights: OWN });
    assert.deepEqual(keys.authenticate({ authorization: 'Bearer root-key' }), { name: 'root', rights: ALL });
    assert.equal(knows(keys, 'bob'), false);
  });

  it('is read again when it changes', async () => {
    await using it = await Mounted.create([key('ann')]);
    const keys = await it.open();
    await it.mount([key('bob')]);
    await it.until(() => knows(keys, 'bob'));
    assert.equal(knows(keys, 'ann'), false);
  });

  it('that is broken leaves the keys that were, says so, and counts again when it is whole', async () => {
    await using it = await Mounted.create([key('ann')]);
    const keys = await it.open();
    for (const broken of ['[{"name":', '{}', [{ name: 'ann', sha256: 'plain text' }]]) {
      it.logged.length = 0;
      await it.mount(broken);
      await it.until(() => it.logged.length > 0);
      assert.match(it.logged.join(), /the file of API keys is of no use/);
      assert.ok(knows(keys, 'ann'));
    }
    await it.mount([key('bob')]);
    await it.until(() => knows(keys, 'bob'));
  });

  it('that is broken from the beginning is no start', async () => {
    await using it = await Mounted.create('nonsense');
    await assert.rejects(it.open());
    await rm(it.path);
    await assert.rejects(it.open(), { code: 'ENOENT' });
  });

  it('stands in the configuration in place of keys, not beside them', () => {
    const sha256 = hash('sha256', 'x');
    const valid = (auth: object) => authConfigSchema.safeParse({ mode: 'apiKeys', ...auth }).success;
    assert.ok(valid({ keysFile: '/keys.json' }));
    assert.ok(valid({ keys: [{ name: 'ann', sha256 }] }));
    assert.ok(!valid({ keysFile: '/keys.json', keys: [] }));
    assert.ok(!valid({}));
  });
});
