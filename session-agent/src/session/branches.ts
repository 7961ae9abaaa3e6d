import { ReplPoolError } from '@replpool/protocol';
import type { CgroupLimits } from '../cgroup/version.ts';
import type { Worker } from '../worker/worker.ts';
import { copyTree } from './copy-tree.ts';
import type { SessionWorker } from './session-worker.ts';
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
  const copies = await parent.fork(sessions.length);
  // All or none: the copying for the others ends with the first that fails.
  const failure = new AbortController();
  const late = setTimeout(() => failure.abort(copyTakesTooLong()), COPY_DEADLINE_MS);
  const began = await Promise.allSettled(
    sessions.map(async (session, index) => {
      try {
        const copy = copies[index];
        if (copy === undefined) throw new Error('the worker made too few copies');
        const signal = AbortSignal.any([failure.signal, ended]);
        await copyTree(workFolder, session.workFolder, signal);
        // What it found may be what was left of it.
        signal.throwIfAborted();
        const { id, workFolder: cwd } = session;
        await parent.branch(copy, { session: id, cwd, formerCwd: workFolder }, limits, (worker, requests) =>
          session.adopt(worker, requests),
        );
      } catch (error) {
        failure.abort(error);
        throw error;
      }
    }),
  );
  clearTimeout(late);
  const failed = began.find((each) => each.status === 'rejected');
  if (failed === undefined) return;
  for (const copy of copies) copy[Symbol.dispose]();
  const cause: unknown = failed.reason;
  if (cause instanceof ReplPoolError) throw cause;
  throw new ReplPoolError('WORKER_FAILED', 'the session could not be copied', {
    why: cause instanceof Error ? cause.message : String(cause),
    cause,
  });
}

function copyTakesTooLong(): ReplPoolError {
  return new ReplPoolError(
    'AGENT_TIMEOUT',
    `the working folder could not be copied within ${COPY_DEADLINE_MS / 1000} s`,
  );
}
