import { ReplPoolError } from '@replpool/protocol';
import { messageOf } from '@replpool/service';
import type { CgroupLimits } from '../cgroup/version.ts';
import type { PreparedBranch, Worker } from '../worker/worker.ts';
import { copyTree } from './copy-tree.ts';
import type { SessionWorker } from './session-worker.ts';
import type { Twin } from './twin.ts';
import type { WorkerRequests } from './worker-requests.ts';

/** How long the working folder may take; nothing else of the session is done meanwhile. */
const COPY_DEADLINE_MS = 60_000;

/** A session that goes on from a live copy of another's worker. */
export interface BranchSession {
  readonly id: string;
  /** Its working folder, not made yet. */
  readonly workFolder: string;
  /** Takes its worker. @throws ReplPoolError WORKER_FAILED */
  adopt(worker: Worker, requests: WorkerRequests): void;
}

/**
 * Copies a session's worker and its working folder, while no code runs in it, once for each of these sessions.
 * @param options.ended the end of the session that is copied, whose folder is removed from then on
 * @throws ReplPoolError FORK_UNSAFE, AGENT_TIMEOUT, WORKER_FAILED; of copies that no session took nothing is left
 */
export async function forkBranches(
  parent: SessionWorker,
  sessions: readonly BranchSession[],
  { limits, workFolder, ended }: { limits: CgroupLimits; workFolder: string; ended: AbortSignal },
): Promise<void> {
  const copies = parent.expectCopies(sessions.length);
  // All or none: what is done for the others ends with the first that fails.
  const failure = new AbortController();
  const late = setTimeout(() => failure.abort(copyTakesTooLong()), COPY_DEADLINE_MS);
  const signal = AbortSignal.any([failure.signal, ended]);
  const preparing = copies.map((copy) => parent.prepareBranch(copy, limits));
  const making = makeCopies(parent, copies, preparing);
  making.catch((error: unknown) => failure.abort(error));
  const began = await Promise.allSettled(
    sessions.map(async (session, index) => {
      try {
        const [copy, prepare] = [copies[index], preparing[index]];
        if (copy === undefined || prepare === undefined) throw new Error('a session without a copy');
        const { id, workFolder: cwd } = session;
        // Beside each other; what was prepared is to be had, or to be removed, when all of it is over.
        const [copied, made, prepared] = await Promise.allSettled([copyTree(workFolder, cwd, signal), making, prepare]);
        if (prepared.status === 'rejected') throw prepared.reason;
        await using own = prepared.value;
        for (const each of [made, copied]) if (each.status === 'rejected') throw each.reason;
        // What was copied may be what was left of it.
        signal.throwIfAborted();
        await parent.branch(copy, own, { session: id, cwd, formerCwd: workFolder }, (worker, requests) =>
          session.adopt(worker, requests),
        );
      } catch (error) {
        failure.abort(error);
        throw error;
      }
    }),
  );
  clearTimeout(late);
  if (began.every(({ status }) => status === 'fulfilled')) return;
  for (const copy of copies) copy[Symbol.dispose]();
  // That of the first: others failed for it.
  const cause: unknown = failure.signal.reason;
  if (cause instanceof ReplPoolError) throw cause;
  throw new ReplPoolError('WORKER_FAILED', 'the session could not be copied', {
    why: messageOf(cause),
    cause,
  });
}

/** Has the kernel ready to move them too, once there is somewhere to move them to. */
async function makeCopies(
  parent: SessionWorker,
  copies: readonly Twin[],
  preparing: readonly Promise<PreparedBranch>[],
): Promise<void> {
  const made = parent.makeCopies(copies);
  // Where it fails, so do the moves themselves, and say why.
  const prepared = Promise.allSettled(preparing).then(() => parent.prepareMoves().catch(() => undefined));
  await Promise.all([made, prepared]);
}

function copyTakesTooLong(): ReplPoolError {
  return new ReplPoolError(
    'AGENT_TIMEOUT',
    `the working folder could not be copied within ${COPY_DEADLINE_MS / 1000} s`,
  );
}
