import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { issueAuthority, issueLeaf, LIFETIMES } from '@replpool/operator';
import type { TlsFiles } from '@replpool/protocol';
import { FollowedTls, type TlsMaterial } from '@replpool/service';

describe('the files of a certificate', () => {
  let folder: string;
  let files: TlsFiles;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rp-tls-'));
    files = { certFile: join(folder, 'cert'), keyFile: join(folder, 'key'), caFile: join(folder, 'ca') };
  });
  afterEach(() => rm(folder, { recursive: true }));

  const issued = async (): Promise<TlsMaterial> => {
    const authority = await issueAuthority(Date.now(), LIFETIMES);
    const subject = { name: 'router.replpool.internal', usage: 'clientAuth' } as const;
    return { ...(await issueLeaf(subject, authority, Date.now(), LIFETIMES)), ca: authority.cert };
  };
  const write = async ({ cert, key, ca }: Partial<TlsMaterial>): Promise<void> => {
    if (cert !== undefined) await writeFile(files.certFile, cert);
    if (key !== undefined) await writeFile(files.keyFile, key);
    if (ca !== undefined) await writeFile(files.caFile, ca);
  };
  const until = async (holds: () => boolean): Promise<void> => {
    while (!holds()) await sleep(20);
  };

  it('are taken when they belong together, and stay as they were until then', async () => {
    const [before, after] = [await issued(), await issued()];
    await write(before);
    const failures: unknown[] = [];
    using followed = await FollowedTls.open(files, { failed: (error) => failures.push(error) });
    const context = followed.context;
    await write({ cert: after.cert });
    await until(() => failures.length > 0);
    assert.deepEqual(followed.material, before, "a certificate with another's key is of no use");
    assert.equal(followed.context, context);
    await write(after);
    await until(() => followed.material.cert === after.cert);
    assert.deepEqual(followed.material, after);
    assert.notEqual(followed.context, context);
  });

  it('are refused without an authority: the public ones would be trusted in its place', async () => {
    await write({ ...(await issued()), ca: '' });
    await assert.rejects(FollowedTls.open(files, { failed: () => undefined }));
  });
});
