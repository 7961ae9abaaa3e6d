import { readFile } from 'node:fs/promises';
import type { SecureContext } from 'node:tls';
import type { TlsFiles } from '@replpool/protocol';
import { Followed } from './followed.ts';
import { secureContext, type TlsMaterial, type TlsSource } from './tls-material.ts';

/** Three small files; until a new authority is known here, those who have it already may be refused. */
const LOOK_MS = 1_000;

export interface TlsFilesListener {
  /** There is other material; connections that are open keep theirs. */
  changed?(material: TlsMaterial): void;
  /** What the files hold now is of no use; what was read before stays. */
  failed(error: unknown): void;
}

interface Loaded {
  readonly material: TlsMaterial;
  readonly context: SecureContext;
}

/**
 * The material in PEM files, read again as they change. A look in the middle of a change may find a certificate with another's key: that is
 * of no use, and the next look finds the rest.
 */
export class FollowedTls implements TlsSource, Disposable {
  readonly #files: Followed<Loaded>;

  /** @throws Error where the files cannot be read, or do not belong together */
  static async open(files: TlsFiles, { changed, failed }: TlsFilesListener): Promise<FollowedTls> {
    let last: Loaded | undefined;
    const read = async (): Promise<Loaded> => {
      const material = await readMaterial(files);
      if (last === undefined || !isSame(last.material, material)) last = { material, context: secureContext(material) };
      return last;
    };
    const followed = await Followed.open<Loaded>({
      ...{ read, failed, lookMs: LOOK_MS },
      isSame: (before, now) => before === now,
      changed: ({ material }) => changed?.(material),
    });
    return new FollowedTls(followed);
  }

  private constructor(files: Followed<Loaded>) {
    this.#files = files;
  }

  get material(): TlsMaterial {
    return this.#files.value.material;
  }

  get context(): SecureContext {
    return this.#files.value.context;
  }

  [Symbol.dispose](): void {
    this.#files[Symbol.dispose]();
  }
}

async function readMaterial({ certFile, keyFile, caFile }: TlsFiles): Promise<TlsMaterial> {
  const [cert = '', key = '', ca = ''] = await Promise.all(
    [certFile, keyFile, caFile].map((path) => readFile(path, 'utf8')),
  );
  return { cert, key, ca };
}

function isSame(one: TlsMaterial, other: TlsMaterial): boolean {
  return one.cert === other.cert && one.key === other.key && one.ca === other.ca;
}
