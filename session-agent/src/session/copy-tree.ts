import { constants, type Stats } from 'node:fs';
import { copyFile, type FileHandle, lstat, mkdir, open, readdir, readlink, symlink } from 'node:fs/promises';
import { hasErrno } from '@replpool/service';

const FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
// Not blocking: a FIFO that takes a file's place meanwhile must not hold a thread of ours.
const FILE = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const PERMISSIONS = 0o777;
/** Two folders are held open for each folder in a folder. */
const DEEPEST = 100;
/** Node.js has four threads for all files of all sessions; a large file must not hold one for longer than a piece takes. */
const PIECE_BYTES = 1024 * 1024;
const ZEROS: Buffer = Buffer.alloc(PIECE_BYTES);

/**
 * Copies a folder that user code may change meanwhile: files, folders and symbolic links, which are not followed; FIFOs, sockets and devices
 * are left out, and what cannot be read. Each entry is reached through the open folder that it is in, so that no link that is put into the
 * path leads out of it, there nor here. Holes of files stay holes.
 *
 * @param to does not exist
 * @throws Error where nothing can be written there, such as ENOSPC, and of folders nested too deep; the reason of `signal`
 */
export async function copyTree(from: string, to: string, signal: AbortSignal): Promise<void> {
  await mkdir(to, { recursive: true, mode: 0o700 });
  await using source = await open(from, FOLDER).catch(unlessUnreadable);
  if (source === undefined) return;
  await using target = await open(to, FOLDER);
  await copyFolder(source, target, signal, 0);
}

async function copyFolder(from: FileHandle, to: FileHandle, signal: AbortSignal, depth: number): Promise<void> {
  if (depth > DEEPEST) throw new Error(`the working folder is more than ${DEEPEST} folders deep`);
  // A name is bytes, of whichever encoding.
  for (const name of await readdir(held(from), { encoding: 'buffer' })) {
    signal.throwIfAborted();
    await copyEntry(inside(from, name), inside(to, name), signal, depth);
  }
}

async function copyEntry(from: Buffer, to: Buffer, signal: AbortSignal, depth: number): Promise<void> {
  const status = await lstat(from).catch(unlessUnreadable);
  if (status?.isSymbolicLink()) {
    const target = await readlink(from, { encoding: 'buffer' }).catch(unlessUnreadable);
    if (target !== undefined) await symlink(target, to);
  } else if (status?.isDirectory()) {
    await using source = await open(from, FOLDER).catch(unlessUnreadable);
    if (source === undefined) return;
    // For us to write into it, whatever the code may.
    await mkdir(to, { mode: (status.mode & PERMISSIONS) | 0o700 });
    await using target = await open(to, FOLDER);
    await copyFolder(source, target, signal, depth + 1);
  } else if (status?.isFile()) await copyRegular(from, to, signal);
}

async function copyRegular(from: Buffer, to: Buffer, signal: AbortSignal): Promise<void> {
  await using source = await open(from, FILE).catch(unlessUnreadable);
  const status = await source?.stat();
  if (source === undefined || !status?.isFile()) return;
  const isCloned = await clone(source, to);
  await using target = await open(to, isCloned ? constants.O_RDONLY | constants.O_NOFOLLOW : NEW_FILE, 0o600);
  if (!isCloned) await copyContent(source, target, status, signal);
  await target.chmod(status.mode & PERMISSIONS);
  await target.utimes(status.atime, status.mtime);
}

/** Has the copy share the blocks, where the file system can do that. */
async function clone(source: FileHandle, to: Buffer): Promise<boolean> {
  try {
    await copyFile(held(source), to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE);
    return true;
  } catch (error) {
    if (hasErrno(error, 'ENOTSUP', 'EOPNOTSUPP', 'ENOTTY', 'ENOSYS', 'EXDEV', 'EINVAL', 'EPERM')) return false;
    throw error;
  }
}

/** As much as it had when it was opened: code may write on without end. */
async function copyContent(
  source: FileHandle,
  target: FileHandle,
  { size }: Stats,
  signal: AbortSignal,
): Promise<void> {
  const piece = Buffer.allocUnsafe(Math.min(size, PIECE_BYTES));
  let at = 0;
  while (at < size) {
    signal.throwIfAborted();
    const { bytesRead } = await source.read(piece, 0, Math.min(piece.length, size - at), at);
    if (bytesRead === 0) break;
    // A terabyte of holes costs the code nothing, and must not cost us a disk.
    const isHole = piece.compare(ZEROS, 0, bytesRead, 0, bytesRead) === 0;
    if (!isHole) await writeAll(target, piece.subarray(0, bytesRead), at);
    at += bytesRead;
  }
  await target.truncate(at);
}

async function writeAll(target: FileHandle, piece: Buffer, at: number): Promise<void> {
  for (let done = 0; done < piece.length; ) {
    done += (await target.write(piece, done, piece.length - done, at + done)).bytesWritten;
  }
}

/** What is open, by a path that no link can change. */
function held({ fd }: FileHandle): string {
  return `/proc/self/fd/${fd}`;
}

function inside(folder: FileHandle, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${held(folder)}/`), name]);
}

/** What the code removes, or forbids us to look at, while we look. */
function unlessUnreadable(error: unknown): undefined {
  if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP', 'ENXIO', 'EISDIR', 'ENAMETOOLONG')) return undefined;
  throw error;
}
