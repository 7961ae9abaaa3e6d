import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type PatchSession,
  ReplPoolError,
  type Session as SessionResource,
  type SessionState,
  type WorkerDeathReason,
} from '@replpool/protocol';
import { messageOf } from '@replpool/service';
import { deathReason, describeExit, type ExitStatus } from '../worker/exit.ts';
import type { Frame } from '../worker/link.ts';
import type { Worker } from '../worker/worker.ts';
import { forkBranches } from './branches.ts';
import { EventLog } from './event-log.ts';
import { Executions } from './executions.ts';
import type { ExecutionsHost, Inherited, WentBack } from './executions-options.ts';
import { Recovery } from './recovery.ts';
import type { Death } from './rewind.ts';
import { sessionGone } from './session-gone.ts';
import { cgroupLimits } from './session-limits.ts';
import type { SessionEnd, SessionObserver, SessionOptions } from './session-options.ts';
import { SessionUsage } from './session-usage.ts';
import { SessionWorker, type SessionWorkerEvents } from './session-worker.ts';
import { SegmentFiles } from './spill-files.ts';
import { hasEnded, transition } from './states.ts';
import type { WorkerRequests } from './worker-requests.ts';
import { WorkerSeat } from './worker-seat.ts';

/** One session: a worker, its executions, an event log. All of it changes on this thread only. */
export class Session {
  readonly id: string;
  readonly owner: string;
  readonly log: EventLog;
  readonly executions: Executions;
  readonly workFolder: string;
  readonly createdAt = new Date();
  readonly epoch = 1;
  name: string | undefined;
  labels: Readonly<Record<string, string>>;
  idleTimeoutSeconds: number;
  readonly #options: SessionOptions;
  readonly #observer: SessionObserver;
  readonly #recovery = new Recovery();
  readonly #usage = new SessionUsage();
  readonly #seat = new WorkerSeat();
  #state: SessionState = 'starting';
  #end: SessionEnd | undefined;
  readonly #ended = new AbortController();
  #stateEpoch = 1;
  #lastActivityAt = new Date();
  #restarting: Promise<void> | undefined;

  constructor(options: SessionOptions, observer: SessionObserver) {
    this.id = options.id;
    this.owner = options.owner;
    this.name = options.name;
    this.labels = options.labels;
    this.idleTimeoutSeconds = options.idleTimeoutSeconds;
    this.workFolder = join(options.directory, 'work');
    this.#options = options;
    this.#observer = observer;
    this.log = new EventLog({
      ringBytes: options.ringBytes,
      spill: new SegmentFiles(join(options.directory, 'log'), options.logBytes),
    });
    const { id: session, limits, queueLength, interruptGraceSeconds, directory, keepSnapshots, inherited } = options;
    const outcomesFolder = join(directory, 'outcomes');
    const { workFolder } = this;
    this.executions = new Executions(
      {
        session,
        limits,
        queueLength,
        interruptGraceSeconds,
        outcomesFolder,
        workFolder,
        keepSnapshots,
        inherited,
      },
      this.#host(),
      observer,
    );
  }

  get state(): SessionState {
    return this.#state;
  }

  get stateEpoch(): number {
    return this.#stateEpoch;
  }

  get lastActivityAt(): Date {
    return this.#lastActivityAt;
  }

  /** What it was made with; a live copy of it has the same but for its id, its labels and its folder. */
  get options(): SessionOptions {
    return this.#options;
  }

  /** Takes the first worker, or ends it. @throws ReplPoolError WORKER_FAILED */
  async start(worker: Worker): Promise<void> {
    this.#begin(await this.#open(worker));
  }

  /** Takes a live copy of another session's worker. @throws ReplPoolError WORKER_FAILED where it has died by now */
  adopt(worker: Worker, requests: WorkerRequests): void {
    this.#begin(SessionWorker.adopt(worker, requests, this.#workerEvents()));
  }

  toResource(): SessionResource {
    const { pool, template, pod, isolation, limits, keepSnapshots, forkedFrom } = this.#options;
    return {
      id: this.id,
      pool,
      template,
      ...(this.name !== undefined && { name: this.name }),
      labels: { ...this.labels },
      state: this.#state,
      epoch: this.epoch,
      stateEpoch: this.#stateEpoch,
      pod,
      createdAt: this.createdAt.toISOString(),
      lastActivityAt: this.#lastActivityAt.toISOString(),
      executionCount: this.executions.count,
      idleTimeoutSeconds: this.idleTimeoutSeconds,
      isolation,
      limits,
      keepSnapshots,
      undoable: this.executions.state.undoable,
      ...(forkedFrom !== undefined && { forkedFrom }),
      usage: this.#usage.of(this.executions.usage),
    };
  }

  /** Asks the worker's cgroup; `toResource` then tells of it. */
  async measure(): Promise<void> {
    const { worker } = this.#seat;
    const usage = await worker?.usage();
    if (usage !== undefined && this.#seat.worker === worker) this.#usage.measured(usage);
  }

  /**
   * A fresh namespace under the same id. What runs is killed, what is queued cancelled; a restart that is under way is joined.
   * @throws ReplPoolError where no worker is to be had; the session goes on trying
   */
  restart(): Promise<void> {
    if (this.#end !== undefined) throw sessionGone(this.id, this.#end);
    this.touch();
    this.executions.cancelQueued();
    this.#restarting ??= this.#restart().finally(() => {
      this.#restarting = undefined;
    });
    return this.#restarting;
  }

  /** Asks the worker something that is not an execution. Reads of what a transaction hides are answered from the state before. */
  async ask(frame: Frame): Promise<unknown> {
    if (this.#end !== undefined) throw sessionGone(this.id, this.#end);
    this.touch();
    await this.executions.state.arrived();
    const { worker } = this.#seat;
    if (worker === undefined) {
      if (this.#end !== undefined) throw sessionGone(this.id, this.#end);
      throw new ReplPoolError('WORKER_FAILED', `session ${this.id} has no worker at the moment`, {
        why: `it is ${this.#state}`,
      });
    }
    const snapshot = this.executions.state.isolated;
    if (snapshot === undefined) return await worker.ask(frame);
    try {
      if (snapshot.kind === 'copy') return await worker.ask({ ...frame, snapshot: snapshot.id });
      const frozen = await snapshot.twin.requests();
      return await frozen.ask(frame);
    } catch (error) {
      if (this.executions.state.isolated === snapshot) throw error;
      // It was committed, rolled back or lost meanwhile: the state of the worker is the one that others see.
      return await this.ask(frame);
    }
  }

  /**
   * Makes live copies of its worker and its working folder those of new sessions, when what was queued before has run.
   * @param sessions makes them
   * @throws ReplPoolError FORK_UNSAFE, TRANSACTION_OPEN, QUEUE_FULL, CIRCUIT_OPEN, WORKER_FAILED, SESSION_NOT_FOUND, SESSION_LOST; then some of
   * the new sessions may have a worker, and none is of use
   */
  async fork(sessions: (inherited: Inherited) => readonly Session[]): Promise<readonly Session[]> {
    return await this.executions.inTurn(async () => {
      const refused = this.executions.state.refusalOf('fork');
      if (refused) throw refused;
      const { worker } = this.#seat;
      if (worker === undefined) throw new ReplPoolError('WORKER_FAILED', `session ${this.id} has no worker`);
      const limits = cgroupLimits(this.#options.limits);
      const made = sessions({ count: this.executions.count, names: this.executions.names });
      await forkBranches(worker, made, { limits, workFolder: this.workFolder, ended: this.#ended.signal });
      return made;
    });
  }

  /** Ends the session for good; idempotent. */
  async close(reason: SessionEnd): Promise<void> {
    if (hasEnded(this.#state)) return;
    this.#end = reason;
    this.#ended.abort(sessionGone(this.id, reason));
    this.#goTo(reason === 'deleted' || reason === 'expired' ? 'closed' : 'lost');
    this.#recovery[Symbol.dispose]();
    const workers = this.#seat.empty();
    this.executions.lose(asDeath(reason), 'the session ended');
    this.log.append({ type: 'session', state: this.#state, stateEpoch: this.#stateEpoch, reason });
    this.#observer.ended(this, reason);
    await this.#gone(workers);
    this.executions[Symbol.dispose]();
    this.log[Symbol.dispose]();
    await this.#observer.closed();
  }

  patch(patch: PatchSession): void {
    if (patch.name !== undefined) this.name = patch.name;
    if (patch.labels !== undefined) this.labels = patch.labels;
    if (patch.idleTimeoutSeconds !== undefined) this.idleTimeoutSeconds = patch.idleTimeoutSeconds;
    this.touch();
    this.#observer.changed(this);
  }

  touch(): void {
    this.#lastActivityAt = new Date();
  }

  #host(): ExecutionsHost {
    const session = this;
    return {
      log: this.log,
      get worker() {
        return session.#seat.worker;
      },
      get stateEpoch() {
        return session.#stateEpoch;
      },
      get gone() {
        return session.#end === undefined ? undefined : sessionGone(session.id, session.#end);
      },
      get circuitOpenMs() {
        return session.#recovery.circuitOpenMs;
      },
      setBusy: (busy) => {
        const state = busy ? 'busy' : 'idle';
        if (this.#state !== state) this.#goTo(state);
      },
      takeOver: (twin) => this.#seat.takeOver(twin),
      wentBack: (back) => this.#wentBack(back),
      beginAnew: (death) => this.#beginAnew(death),
      touch: () => this.touch(),
    };
  }

  #begin(worker: SessionWorker): void {
    this.#seat.fill(worker);
    this.#goTo('idle');
    this.log.append({ type: 'session', state: 'idle', stateEpoch: this.#stateEpoch });
  }

  async #open(worker: Worker): Promise<SessionWorker> {
    const { env, limits } = this.#options;
    // The code may have deleted its own working folder.
    try {
      await mkdir(this.workFolder, { recursive: true, mode: 0o700 });
      await this.#limit(worker);
    } catch (error) {
      await worker.kill();
      throw error;
    }
    const session = { session: this.id, cwd: this.workFolder, env, fileDescriptors: limits.fileDescriptors };
    return await SessionWorker.open(worker, session, this.#workerEvents());
  }

  /** What a worker says that is not ours yet, or not any more, is nobody's. */
  #workerEvents(): SessionWorkerEvents {
    return {
      frame: (from, frame) => {
        if (this.#seat.worker === from) this.executions.receive(frame);
      },
      output: (from, stream, text) => {
        if (this.#seat.isHeard(from)) this.executions.output(stream, text);
      },
      exited: (from, status, protocolError) => {
        this.#usage.workerEnded(status.cpuMs);
        if (this.#seat.worker === from) this.#died(status, protocolError);
        else from.release();
      },
    };
  }

  /** Before `open`: no code of the user's runs without them. */
  async #limit(worker: Worker): Promise<void> {
    try {
      await worker.limit(cgroupLimits(this.#options.limits));
    } catch (cause) {
      throw new ReplPoolError('WORKER_FAILED', 'the limits of the session could not be set', {
        why: messageOf(cause),
        cause,
      });
    }
  }

  #died(status: ExitStatus, protocolError: Error | undefined): void {
    // A kill may cut a frame in two, which is not the worker's fault then.
    const broken = status.oom ? undefined : protocolError;
    const reason = this.executions.killedBy ?? (broken ? 'crash' : deathReason(status));
    if (reason === 'oom') this.#observer.limitHit('memory');
    if (broken) this.#observer.failed('a worker broke the protocol', broken);
    const message = broken?.message ?? `the worker ended ${describeExit(status)}`;
    if (this.executions.state.survivesWorker) {
      this.#seat.leave();
      this.#tellRecovering(reason);
      this.executions.goBackAfter({ reason, message });
      return;
    }
    this.#seat.empty();
    this.executions.lose(reason, message);
    this.#recoverAfter(reason);
  }

  /** Its executions have brought it to an earlier state. */
  #wentBack({ reason, losesAcknowledged, lost }: WentBack): void {
    if (losesAcknowledged) {
      this.#stateEpoch += 1;
      // A death that costs something; who asks for an undo gets it as often as there is one.
      if (reason !== 'undo') this.#recovery.died();
    }
    const wasRecovering = this.#state === 'recovering';
    if (!wasRecovering && reason === undefined) return;
    if (this.#state !== 'idle') this.#goTo('idle');
    const told = { state: this.#state, stateEpoch: this.#stateEpoch, lost };
    this.log.append({ type: 'session', ...told, ...(reason !== undefined && { reason }), restored: 'twin' });
  }

  /** Neither the worker nor its twin is left. */
  #beginAnew({ reason, message }: Death): void {
    if (hasEnded(this.#state) || this.#restarting !== undefined) return;
    this.#observer.failed('a twin could not take the place of its worker', new Error(message));
    // What hangs of it is no twin of anybody's any more, and ends with it.
    for (const worker of this.#seat.empty()) void worker.kill();
    this.executions.cancelQueued();
    this.#recoverAfter(reason);
  }

  #recoverAfter(reason: WorkerDeathReason): void {
    if (this.#options.onCrash === 'Lose') return void this.close(reason);
    this.#tellRecovering(reason);
    this.#recovery.afterDeath(() => void this.#recover(reason));
  }

  #tellRecovering(reason: WorkerDeathReason): void {
    if (this.#state === 'recovering') return;
    this.#goTo('recovering');
    this.log.append({ type: 'session', state: 'recovering', stateEpoch: this.#stateEpoch, reason });
  }

  /** Tries until there is a worker; a restart or the session's end takes over. */
  async #recover(reason: SessionEnd | 'restart'): Promise<void> {
    try {
      await this.#replaceWorker(reason);
    } catch (error) {
      if (this.#state !== 'recovering' || this.#restarting !== undefined) return;
      this.#observer.failed('a session got no new worker', error);
      this.#recovery.afterFailure(() => void this.#recover(reason));
    }
  }

  async #restart(): Promise<void> {
    const workers = this.#seat.empty();
    if (this.#state !== 'recovering') this.#goTo('recovering');
    this.#recovery.reset();
    this.executions.lose('interrupt', 'the session was restarted while it ran');
    await this.#gone(workers);
    try {
      await this.#replaceWorker('restart');
    } catch (error) {
      if (this.#state === 'recovering') this.#recovery.afterFailure(() => void this.#recover('restart'));
      throw error;
    }
  }

  /** Resolves when nothing is left of these workers, nor of a twin that was to take their place. */
  async #gone(workers: readonly SessionWorker[]): Promise<void> {
    await Promise.all([...workers.map((worker) => worker.kill()), this.#seat.settled()]);
  }

  /**
   * Goes on with a new worker and an empty namespace, unless somebody else took over meanwhile.
   * @throws ReplPoolError where no worker is to be had
   */
  async #replaceWorker(reason: SessionEnd | 'restart'): Promise<void> {
    const isOvertaken = this.#seat.begin();
    const superseded = () => isOvertaken() || this.#state !== 'recovering';
    const worker = await this.#options.acquireWorker();
    if (superseded()) return void worker.kill();
    const opened = await this.#open(worker).catch((error: unknown) => {
      this.#recovery.died();
      if (this.#recovery.circuitOpenMs > 0) this.executions.cancelQueued();
      throw error;
    });
    if (superseded()) return void opened.kill();
    this.#seat.fill(opened);
    this.#stateEpoch += 1;
    this.#goTo('idle');
    const lost = this.executions.forgetNames(`the worker that held it is gone (${reason})`);
    const restored = 'nothing';
    this.log.append({ type: 'session', state: 'idle', stateEpoch: this.#stateEpoch, reason, restored, lost });
    this.executions.next();
  }

  #goTo(state: SessionState): void {
    this.#state = transition(this.#state, state);
    this.#observer.changed(this);
  }
}

/** Why a running execution's worker dies when its session ends for `reason`. */
function asDeath(reason: SessionEnd): WorkerDeathReason {
  return reason === 'deleted' || reason === 'expired' ? 'exit' : reason;
}
