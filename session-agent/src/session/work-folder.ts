import { randomUUID } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, readdir, readlink, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type FileEntry, invalidRequest, ReplPoolError } from '@replpool/protocol';
import { hasErrno } from '@replpool/service';

const FOLDER = constants.O_RDONLY | constants.O_DIRECTORY;

/** The files of one session, which its code may change at any time, symbolic links included. */
export class WorkFolder {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  /** All entries below the folder, links not followed. What lies too deep for a path to name it is left out. */
  async list(): Promise<FileEntry[]> {
    const items: FileEntry[] = [];
    const folders = [this.#root];
    for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
      for (const name of await readdir(folder).catch(unlessGone([]))) {
        const path = join(folder, name);
        const status = await lstat(path).catch(unlessGone(undefined));
        if (!status) continue;
        const { size, mtime } = status;
        items.push({ path: relative(this.#root, path), size, modifiedAt: mtime.toISOString(), type: typeOf(status) });
        if (status.isDirectory()) folders.push(path);
      }
    }
    return items.toSorted((a, b) => (a.path < b.path ? -1 : 1));
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
   * @param content is left as it is where writing fails, so that a request can still be answered
   * @param maxBytes more is PAYLOAD_TOO_LARGE
   * @returns whether it is new
   */
  async write(path: string, content: AsyncIterable<Buffer>, maxBytes: number): Promise<boolean> {
    const target = this.#inside(path);
    const folder = await this.#makeFolder(dirname(target), path);
    const temporary = `.replpool-${randomUUID()}`;
    try {
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
        throw asPathError(error, path);
      }
      return isNew;
    } finally {
      await folder.close();
    }
  }

  /** @throws ReplPoolError FILE_NOT_FOUND, INVALID_REQUEST */
  async remove(path: string): Promise<void> {
    const target = this.#inside(path);
    const folder = await open(dirname(target), FOLDER).catch((cause: unknown) => {
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

  /**
   * Opens a folder and makes what is missing of it, one step at a time and each from the open one before, so that a link that leads out of
   * the working folder is seen before anything is made behind it.
   */
  async #makeFolder(target: string, path: string): Promise<FileHandle> {
    let folder = await open(this.#root, FOLDER);
    for (const part of relative(this.#root, target).split('/').filter(Boolean)) {
      const parent = folder;
      try {
        const next = `/proc/self/fd/${parent.fd}/${part}`;
        await mkdir(next).catch((error: unknown) => {
          if (!hasErrno(error, 'EEXIST')) throw asPathError(error, path);
        });
        folder = await open(next, FOLDER).catch((cause: unknown) => {
          throw asPathError(cause, path);
        });
      } finally {
        await parent.close();
      }
      try {
        await this.#stillInside(folder, path);
      } catch (error) {
        await folder.close();
        throw error;
      }
    }
    return folder;
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
    const real = await readlink(`/proc/self/fd/${handle.fd}`).catch((cause: unknown) => {
      throw asPathError(cause, path);
    });
    const root = await this.#realRoot();
    if (real !== root && !real.startsWith(`${root}/`)) throw notFound(path);
  }

  async #realRoot(): Promise<string> {
    const root = await open(this.#root, FOLDER);
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

/** What the path is to blame for, as an error of the registry. */
function asPathError(error: unknown, path: string): unknown {
  if (hasErrno(error, 'EISDIR', 'ENOTEMPTY')) return invalidRequest('path', `${path} is a folder`);
  if (hasErrno(error, 'ENOTDIR', 'ENOENT', 'ELOOP')) {
    return invalidRequest('path', `a part of ${path} is not a folder`);
  }
  return hasErrno(error, 'ENAMETOOLONG') ? invalidRequest('path', 'longer than the file system takes') : error;
}

/** For what the code may remove, or forbid us to look at, while we look. */
function unlessGone<T>(instead: T): (error: unknown) => T {
  return (error) => {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'ENAMETOOLONG')) return instead;
    throw error;
  };
}

function typeOf(status: Stats): FileEntry['type'] {
  if (status.isSymbolicLink()) return 'symlink';
  if (status.isFile()) return 'file';
  return status.isDirectory() ? 'directory' : 'other';
}

function notFound(path: string, cause?: unknown): ReplPoolError {
  return new ReplPoolError('FILE_NOT_FOUND', `the working folder has no file ${path}`, { details: { path }, cause });
}
