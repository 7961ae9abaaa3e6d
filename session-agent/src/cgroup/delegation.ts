import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasErrno } from '@replpool/service';

/** How long the pod's delegate may take; it starts with the pod and is slow then. */
const DEADLINE_MS = 30_000;
/** A delegate that started again has a new FIFO, and nothing of what was in the old one. */
const AGAIN_MS = 2_000;
const PAUSE_MS = 20;
/** What a request may have; the runtimes name cgroups so. */
const PATH = /^(\/[A-Za-z0-9_:@-][A-Za-z0-9._:@-]*)+$/;

/**
 * Asks the pod's delegate (`session-agent/pod/delegate`) for our own cgroup: a line `ID PATH` into the FIFO `requests` of a folder, after
 * which the file `answer` there begins with that id. We may only write into the FIFO and read the answer, for the volume is mounted
 * read-only here: no code in this container can lead the delegate, which is root, to another file.
 * @throws Error with its reason where it refuses, or where it says nothing
 */
export async function askForCgroup(directory: string, path: string, deadlineMs = DEADLINE_MS): Promise<void> {
  if (!PATH.test(path)) throw new Error(`the cgroup ${path || '/'} is none that can be delegated`);
  const id = randomBytes(8).toString('hex');
  const began = performance.now();
  for (let asked = Number.NEGATIVE_INFINITY; ; await sleep(PAUSE_MS)) {
    const now = performance.now();
    if (now - asked >= AGAIN_MS && (await send(join(directory, 'requests'), `${id} ${path}\n`))) asked = now;
    const [answered, ...words] = (await readIfThere(join(directory, 'answer'))).trimEnd().split(' ');
    if (answered === id) {
      const answer = words.join(' ');
      if (answer === 'ok') return;
      throw new Error(answer);
    }
    if (now - began > deadlineMs) throw new Error(`the pod's delegate did not answer in ${deadlineMs / 1000} s`);
  }
}

/** @returns false where nobody reads it yet */
async function send(fifo: string, line: string): Promise<boolean> {
  try {
    // Shorter than PIPE_BUF, so that it goes in as one piece or, with EAGAIN, not at all.
    await using file = await open(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
    await file.write(line);
    return true;
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENXIO', 'EAGAIN', 'EPIPE', 'EACCES')) return false;
    throw error;
  }
}

async function readIfThere(file: string): Promise<string> {
  return await readFile(file, 'utf8').catch((error: unknown) => {
    if (hasErrno(error, 'ENOENT')) return '';
    throw error;
  });
}
