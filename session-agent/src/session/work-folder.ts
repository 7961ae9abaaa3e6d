import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, readlink, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type FileEntry, invalidRequest, ReplPoolError } from '@replpool/protocol';

/** The files of one session, which its code may change at any time, symbolic links included. */
export class WorkFolder {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  /** All entries below the folder, links not followed. */
  async list(): Promise<FileEntry[]> {
    const entries = await readdir(this.#root, { recursive: true, withFileTypes: true });
    const items = await Promise.all(
      entries.map(async (entry): Promise<FileEntry | undefined> => {
        const path = join(entry.parentPath, entry.name);
        const type = entry.isSymbolicLink()
          ? 'symlink'
          : entry.isFile()
            ? 'file'
            : entry.isDirectory()
              ? 'directory'
              : 'other';
        // Gone between the listing and now, or a link to nowhere: not an entry any more.
        const status = await stat(path).catch(() => undefined);
        return (
          status && {
            path: relative(this.#root, path),
            size: status.size,
            modifiedAt: status.mtime.toISOString(),
            type,
          }
        );
      }),
    );
    return items.filter((item) => item !== undefined).toSorted((a, b) => (a.path < b.path ? -1 : 1));
  }

  /** Opens a file for reading; the caller closes it. @throws ReplPoolError FILE_NOT_FOUND, INVALID_REQUEST */
  async open(path: string): Promise<{ handle: FileHandle; size: number }> {
    const target = this.#inside(path);
    // Not blocking: a FIFO in the folder must not hold a thread of ours.
    const handle = await open(target, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
      (cause: unknown) => {
        throw notFound(path, cause);
      },
    );
    try {
      await this.#stillInside(handle, path);
      const status = await handle.stat();
      if (!status.isFile()) throw notFound(path);
      return { handle, size: status.size };
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /**
   * Writes a file whole or not at all.
   * @param maxBytes more is PAYLOAD_TOO_LARGE
   * @returns whether it is new
   */
  async write(path: string, content: Readable, maxBytes: number): Promise<boolean> {
    const target = this.#inside(path);
    await mkdir(dirname(target), { recursive: true }).catch((cause: unknown) => {
      throw new ReplPoolError('INVALID_REQUEST', `path: a part of ${path} is not a folder`, {
        details: { field: 'path' },
        cause,
      });
    });
    const folder = await open(dirname(target), constants.O_RDONLY | constants.O_DIRECTORY);
    const temporary = `.replpool-${randomUUID()}`;
    try {
      await this.#stillInside(folder, path);
      // Through the open folder: a link that user code puts into the path meanwhile leads nowhere else.
      const held = `/proc/self/fd/${folder.fd}`;
      const isNew = (await stat(target).catch(() => undefined)) === undefined;
      const handle = await open(
        join(held, temporary),
        constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL,
        0o600,
      );
      try {
        await pipeline(content, limited(maxBytes), handle.createWriteStream());
        await rename(join(held, temporary), join(held, target.slice(dirname(target).length + 1)));
      } catch (error) {
        await rm(join(held, temporary), { force: true });
        throw asWriteError(error, path);
      }
      return isNew;
    } finally {
      await folder.close();
    }
  }

  /** @throws ReplPoolError FILE_NOT_FOUND, INVALID_REQUEST */
  async remove(path: string): Promise<void> {
    const target = this.#inside(path);
    const folder = await open(dirname(target), constants.O_RDONLY | constants.O_DIRECTORY).catch((cause: unknown) => {
      throw notFound(path, cause);
    });
    try {
      await this.#stillInside(folder, path);
      await rm(join(`/proc/self/fd/${folder.fd}`, target.slice(dirname(target).length + 1)), { recursive: true }).catch(
        (cause: unknown) => {
          throw notFound(path, cause);
        },
      );
    } finally {
      await folder.close();
    }
  }

  #inside(path: string): string {
    const target = resolve(this.#root, path);
    if (path === '' || path.includes('\0') || !target.startsWith(`${this.#root}/`)) {
      throw invalidRequest('path', 'must name something inside the working folder');
    }
    return target;
  }

  /** Asks the kernel where an open file really is, which no race with user code can change. */
  async #stillInside(handle: FileHandle, path: string): Promise<void> {
    const real = await readlink(`/proc/self/fd/${handle.fd}`);
    const root = await this.#realRoot();
    if (real !== root && !real.startsWith(`${root}/`)) throw notFound(path);
  }

  async #realRoot(): Promise<string> {
    const root = await open(this.#root, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      return await readlink(`/proc/self/fd/${root.fd}`);
    } finally {
      await root.close();
    }
  }
}

function limited(maxBytes: number): (source: AsyncIterable<Buffer>) => AsyncGenerator<Buffer> {
  return async function* (source) {
    let size = 0;
    for await (const chunk of source) {
      size += chunk.length;
      if (size > maxBytes) throw new ReplPoolError('PAYLOAD_TOO_LARGE', `the file is larger than ${maxBytes} bytes`);
      yield chunk;
    }
  };
}

function asWriteError(error: unknown, path: string): unknown {
  if (error instanceof Error && 'code' in error && error.code === 'EISDIR')
    return invalidRequest('path', `${path} is a folder`);
  return error;
}

function notFound(path: string, cause?: unknown): ReplPoolError {
  return new ReplPoolError('FILE_NOT_FOUND', `the working folder has no file ${path}`, { details: { path }, cause });
}
