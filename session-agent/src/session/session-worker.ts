import {
  type FromWorkerFrame,
  forkedSchema,
  handlesSchema,
  ReplPoolError,
  type SnapshotKind,
  snapshotTakenSchema,
} from '@replpool/protocol';
import type { CgroupUsage } from '../cgroup/cgroup.ts';
import type { CgroupLimits } from '../cgroup/version.ts';
import type { ExitStatus } from '../worker/exit.ts';
import type { Frame } from '../worker/link.ts';
import type { OutputStream } from '../worker/outputs.ts';
import type { PreparedBranch, Worker } from '../worker/worker.ts';
import type { Snapshot } from './snapshot.ts';
import { Twin } from './twin.ts';
import { type OpenRequest, WorkerRequests } from './worker-requests.ts';

/** A copy of the largest namespace that is copied takes seconds; beyond this the worker does not answer any more. */
const SNAPSHOT_DEADLINE_MS = 120_000;
/** Hooks of user code run in forks, and the worker gives up on those that hang before we do. */
const FORK_DEADLINE_MS = 30_000;
/** A worker whose code keeps its interpreter does not say what it has open; the rollback does not wait for it. */
const HANDLES_DEADLINE_MS = 1000;

/** What a session hears of its worker, from its opening on. */
export interface SessionWorkerEvents {
  frame(worker: SessionWorker, frame: FromWorkerFrame): void;
  output(worker: SessionWorker, stream: OutputStream, text: string): void;
  exited(worker: SessionWorker, status: ExitStatus, protocolError: Error | undefined): void;
}

/** A worker that was opened for one session, and the questions that it was asked. */
export class SessionWorker {
  readonly #worker: Worker;
  readonly #requests: WorkerRequests;
  readonly #events: SessionWorkerEvents;
  #takes: string | undefined;

  private constructor(worker: Worker, requests: WorkerRequests, events: SessionWorkerEvents) {
    this.#worker = worker;
    this.#requests = requests;
    this.#events = events;
    worker.attach({
      frame: (frame) => {
        if (frame.type === 'opened' || frame.type === 'reply' || frame.type === 'problem') requests.answer(frame);
        else events.frame(this, frame);
      },
      output: (stream, text) => events.output(this, stream, text),
      exited: (status, protocolError) => {
        // What its twin can answer as well it may be asked yet: that is the session's to say.
        requests.fail(ended(), 'its own');
        events.exited(this, status, protocolError);
      },
    });
  }

  /**
   * Makes a fork the session's worker; ends it where that fails.
   * @throws ReplPoolError WORKER_FAILED, AGENT_TIMEOUT
   */
  static async open(worker: Worker, session: OpenRequest, events: SessionWorkerEvents): Promise<SessionWorker> {
    const requests = new WorkerRequests((frame) => worker.send(frame));
    const opened = new SessionWorker(worker, requests, events);
    try {
      await requests.open(session);
      // It may have died in the same turn in which it answered.
      if (!worker.alive) throw new ReplPoolError('WORKER_FAILED', 'the worker died as soon as it was opened');
    } catch (error) {
      await worker.kill();
      throw error;
    }
    return opened;
  }

  /** One that goes on from a live copy of another session's. @throws ReplPoolError WORKER_FAILED where it has died by now */
  static adopt(worker: Worker, requests: WorkerRequests, events: SessionWorkerEvents): SessionWorker {
    const adopted = new SessionWorker(worker, requests, events);
    if (!worker.alive)
      throw new ReplPoolError('WORKER_FAILED', 'the live copy of the worker died as soon as it was made');
    return adopted;
  }

  /** The snapshot that it is about to take: an interrupt that names it ends the copying. */
  get takes(): string | undefined {
    return this.#takes;
  }

  /**
   * Takes a snapshot between executions.
   * @param kinds what may be taken, in the order of preference
   * @throws ReplPoolError FORK_UNSAFE, AGENT_TIMEOUT, WORKER_FAILED where it dies
   */
  async snapshot(kinds: readonly SnapshotKind[], maxBytes: number): Promise<Snapshot> {
    const worker = this.#worker;
    const twin = Twin.expect(worker.hub);
    try {
      if (kinds.includes('fork')) await worker.allowTwins();
      const { id: snapshot, token } = twin;
      this.#takes = snapshot;
      const question = { type: 'snapshot', snapshot, kinds, socket: worker.hub.path, token, maxBytes };
      const taken = snapshotTakenSchema.parse(await this.#requests.ask(question, SNAPSHOT_DEADLINE_MS));
      if (taken.kind === 'copy') {
        twin[Symbol.dispose]();
        const { costMs, notCopied, reason } = taken;
        return { id: snapshot, kind: 'copy', costMs, notCopied, reason };
      }
      twin.born(taken.pid);
      worker.keep(twin);
      return { id: snapshot, kind: 'fork', costMs: taken.costMs, twin };
    } catch (error) {
      twin[Symbol.dispose]();
      // It may be taken yet, where the worker is late.
      this.send({ type: 'discard', snapshot: twin.id });
      throw error;
    } finally {
      this.#takes = undefined;
    }
  }

  /** Waits for live copies that it is about to make. */
  expectCopies(count: number): readonly Twin[] {
    return Array.from({ length: count }, () => Twin.expect(this.#worker.hub));
  }

  /**
   * Makes them, frozen until `branch`, between executions.
   * @throws ReplPoolError FORK_UNSAFE, AGENT_TIMEOUT, WORKER_FAILED where it dies
   */
  async makeCopies(copies: readonly Twin[]): Promise<void> {
    const branches = copies.map(({ id: branch, token }) => ({ branch, token }));
    const question = { type: 'fork', branches, socket: this.#worker.hub.path };
    const { pids } = forkedSchema.parse(await this.#requests.ask(question, FORK_DEADLINE_MS));
    for (const [index, copy] of copies.entries()) copy.born(pids[index] ?? 0);
  }

  /** Makes what a copy is to have of its own, beside the making of the copies. */
  prepareBranch(copy: Twin, limits: CgroupLimits): Promise<PreparedBranch> {
    return this.#worker.prepareBranch(copy.id, limits);
  }

  /** Has the kernel ready to move copies. */
  async prepareMoves(): Promise<void> {
    await this.#worker.prepareMoves();
  }

  /**
   * Has a copy go on as the worker of another session.
   * @throws Error where it is gone
   */
  async branch(
    copy: Twin,
    prepared: PreparedBranch,
    session: { readonly session: string; readonly cwd: string; readonly formerCwd: string },
    adopt: (worker: Worker, requests: WorkerRequests) => void,
  ): Promise<void> {
    await this.#worker.branch(copy, prepared, session, (worker) => adopt(worker, copy.asked));
  }

  /** A twin of it ended that nobody has ended. */
  twinLost(): void {
    this.#worker.twinLost();
  }

  /** A snapshot is not needed any more. */
  discard(snapshot: Snapshot): void {
    if (snapshot.kind === 'fork') snapshot.twin[Symbol.dispose]();
    this.send({ type: 'discard', snapshot: snapshot.id });
  }

  /** Puts the names of a copy back. @throws ReplPoolError NO_TRANSACTION, AGENT_TIMEOUT, WORKER_FAILED */
  async restoreCopy(snapshot: Snapshot): Promise<void> {
    await this.#requests.ask({ type: 'rollback', snapshot: snapshot.id }, SNAPSHOT_DEADLINE_MS);
  }

  /** What a rollback does not undo: open files, sockets, children. */
  async handles(): Promise<readonly string[]> {
    try {
      return handlesSchema.parse(await this.#requests.ask({ type: 'handles' }, HANDLES_DEADLINE_MS)).items;
    } catch {
      return ['what the process had open is not known'];
    }
  }

  /**
   * Ends the process and all that it started, and goes on as its twin. What it was asked and has not answered the twin answers.
   *
   * @returns the twin as the session's worker
   * @throws Error where the twin is gone; then nothing of either is left
   */
  async replaceBy(twin: Twin): Promise<SessionWorker> {
    // Frozen it answers already. Not awaited: of one that never says hello the worker's end is not to depend.
    const moved = twin.requests().then((requests) => this.#requests.moveTo(requests));
    moved.catch(() => undefined);
    const successor = Promise.withResolvers<SessionWorker>();
    await this.#worker.replaceBy(twin, (worker) => {
      successor.resolve(new SessionWorker(worker, twin.asked, this.#events));
    });
    return await successor.promise;
  }

  send(frame: Frame): void {
    this.#worker.send(frame);
  }

  /** @throws ReplPoolError with the worker's problem, WORKER_FAILED where it dies, AGENT_TIMEOUT where it does not answer */
  ask(frame: Frame): Promise<unknown> {
    return this.#requests.ask(frame);
  }

  /** What it and all that it started use; empty without a cgroup. */
  usage(): Promise<CgroupUsage> {
    return this.#worker.usage();
  }

  /** The session has no more use for it: what it was asked is answered by WORKER_FAILED. */
  release(): void {
    this.#requests.fail(ended());
  }

  /** Has it read what it was sent, where code that keeps its interpreter can be brought to let it. */
  wake(): void {
    this.#worker.wake();
  }

  /** Where its threads stand; empty where that is not to be had. */
  stacks(): Promise<string> {
    return this.#worker.stacks();
  }

  /** Ends the process and all that it started; resolves when nothing of it is left. */
  kill(): Promise<void> {
    return this.#worker.kill();
  }
}

function ended(): ReplPoolError {
  return new ReplPoolError('WORKER_FAILED', 'the worker ended before it answered');
}
