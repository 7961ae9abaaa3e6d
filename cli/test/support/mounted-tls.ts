import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TLS_FILE_NAMES, type TlsFiles } from '@replpool/protocol';
import type { TlsMaterial } from '@replpool/service';

/** A Secret as a kubelet mounts it: the files lead through the link `..data`, which is swapped for a new folder as a whole. */
export class MountedTls implements AsyncDisposable {
  readonly files: TlsFiles;
  readonly #folder: string;
  #versions = 0;

  private constructor(folder: string) {
    this.#folder = folder;
    const file = (name: string) => join(folder, name);
    this.files = {
      certFile: file(TLS_FILE_NAMES.cert),
      keyFile: file(TLS_FILE_NAMES.key),
      caFile: file(TLS_FILE_NAMES.ca),
    };
  }

  static async create(material: TlsMaterial): Promise<MountedTls> {
    const folder = await mkdtemp(join(tmpdir(), 'rp-tls-'));
    const it = new MountedTls(folder);
    await it.update(material);
    for (const name of Object.values(TLS_FILE_NAMES)) await symlink(join('..data', name), join(folder, name));
    return it;
  }

  async update({ cert, key, ca }: TlsMaterial): Promise<void> {
    const before = `..${this.#versions}`;
    this.#versions += 1;
    const version = `..${this.#versions}`;
    await mkdir(join(this.#folder, version));
    await writeFile(join(this.#folder, version, TLS_FILE_NAMES.cert), cert);
    await writeFile(join(this.#folder, version, TLS_FILE_NAMES.key), key);
    await writeFile(join(this.#folder, version, TLS_FILE_NAMES.ca), ca);
    await symlink(version, join(this.#folder, '..data_tmp'));
    await rename(join(this.#folder, '..data_tmp'), join(this.#folder, '..data'));
    await rm(join(this.#folder, before), { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}
