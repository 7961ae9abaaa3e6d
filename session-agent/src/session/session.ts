import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type PatchSession,
  ReplPoolError,
  type Session as SessionResource,
  type SessionState,
  type WorkerDeathReason,
} from '@replpool/protocol';
import { deathReason, describeExit, type ExitStatus } from '../worker/exit.ts';
import type { Frame } from '../worker/link.ts';
import type { Worker } from '../worker/worker.ts';
import { EventLog } from './event-log.ts';
import { Executions } from './executions.ts';
import type { ExecutionsHost } from './executions-options.ts';
import { Recovery } from './recovery.ts';
import { sessionGone } from './session-gone.ts';
import { cgroupLimits } from './session-limits.ts';
import type { SessionEnd, SessionObserver, SessionOptions } from './session-options.ts';
import { SessionUsage } from './session-usage.ts';
import { SessionWorker } from './session-worker.ts';
import { SegmentFiles } from './spill-files.ts';
import { hasEnded, transition } from './states.ts';
import type { Twin } from './twin.ts';

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
  #state: SessionState = 'starting';
  #end: SessionEnd | undefined;
  #stateEpoch = 1;
  #lastActivityAt = new Date();
  #worker: SessionWorker | undefined;
  /** Counts the tries to get a worker: a newer one supersedes those still on their way. */
  #attempt = 0;
  #restarting: Promise<void> | undefined;
  /** Ends while its twin takes its place; what it wrote is still delivered. */
  #leaving: SessionWorker | undefined;
  #takingOver: Promise<void> | undefined;
  #goingBack: Promise<void> | undefined;

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
    const { id: session, limits, queueLength, interruptGraceSeconds, directory } = options;
    const outcomesFolder = join(directory, 'outcomes');
    const { workFolder } = this;
    this.executions = new Executions(
      { session, limits, queueLength, interruptGraceSeconds, outcomesFolder, workFolder },
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

  /** Takes the first worker, or ends it. @throws ReplPoolError WORKER_FAILED */
  async start(worker: Worker): Promise<void> {
    this.#worker = await this.#open(worker);
    this.#goTo('idle');
    this.log.append({ type: 'session', state: 'idle', stateEpoch: this.#stateEpoch });
  }

  toResource(): SessionResource {
    const { pool, template, pod, isolation, limits } = this.#options;
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
      usage: this.#usage.of(this.executions.usage),
    };
  }

  /** Asks the worker's cgroup; `toResource` then tells of it. */
  async measure(): Promise<void> {
    const worker = this.#worker;
    const usage = await worker?.usage();
    if (usage !== undefined && this.#worker === worker) this.#usage.measured(usage);
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

  /** Asks the worker something that is not an execution. */
  async ask(frame: Frame): Promise<unknown> {
    if (this.#end !== undefined) throw sessionGone(this.id, this.#end);
    this.touch();
    await this.#takingOver?.catch(() => undefined);
    if (this.#worker) return await this.#askOthersState(this.#worker, frame);
    throw new ReplPoolError('WORKER_FAILED', `session ${this.id} has no worker at the moment`, {
      why: `it is ${this.#state}`,
    });
  }

  /** Ends the session for good; idempotent. */
  async close(reason: SessionEnd): Promise<void> {
    if (hasEnded(this.#state)) return;
    this.#end = reason;
    this.#goTo(reason === 'deleted' || reason === 'expired' ? 'closed' : 'lost');
    this.#recovery[Symbol.dispose]();
    const worker = this.#takeWorker();
    this.executions.lose(asDeath(reason), 'the session ended');
    this.log.append({ type: 'session', state: this.#state, stateEpoch: this.#stateEpoch, reason });
    this.#observer.ended(this, reason);
    await Promise.all([worker?.kill(), this.#away()]);
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
        return session.#worker;
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
      takeOver: async (twin) => {
        this.#takingOver = this.#takeOver(twin).finally(() => {
          this.#takingOver = undefined;
        });
        await this.#takingOver;
      },
      touch: () => this.touch(),
    };
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
    // What a worker says that is not ours yet, or not any more, is nobody's.
    return await SessionWorker.open(worker, session, {
      frame: (from, frame) => {
        if (this.#worker === from) this.executions.receive(frame);
      },
      output: (from, stream, text) => {
        if (this.#worker === from || this.#leaving === from) this.executions.output(stream, text);
      },
      exited: (from, status, protocolError) => {
        this.#usage.workerEnded(status.cpuMs);
        if (this.#worker === from) this.#died(status, protocolError);
      },
    });
  }

  /** Before `open`: no code of the user's runs without them. */
  async #limit(worker: Worker): Promise<void> {
    try {
      await worker.limit(cgroupLimits(this.#options.limits));
    } catch (cause) {
      throw new ReplPoolError('WORKER_FAILED', 'the limits of the session could not be set', {
        why: cause instanceof Error ? cause.message : String(cause),
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
    if (this.executions.survivesWorker) {
      this.#goingBack = this.#goBack(reason, message)
        .catch((error: unknown) => this.#observer.failed('a session did not go back to its twin', error))
        .finally(() => {
          this.#goingBack = undefined;
        });
      return;
    }
    this.#takeWorker();
    this.executions.lose(reason, message);
    if (this.#options.onCrash === 'Lose') return void this.close(reason);
    this.#goTo('recovering');
    this.log.append({ type: 'session', state: 'recovering', stateEpoch: this.#stateEpoch, reason });
    this.#recovery.afterDeath(() => void this.#recover(reason));
  }

  /** The worker is dead and its twin lives. */
  async #goBack(reason: WorkerDeathReason, message: string): Promise<void> {
    const old = this.#worker;
    this.#leaving = old;
    this.#worker = undefined;
    this.#goTo('recovering');
    this.log.append({ type: 'session', state: 'recovering', stateEpoch: this.#stateEpoch, reason });
    await this.executions.goBack(reason, message, ({ lost, wasAcknowledged }) => {
      if (wasAcknowledged) this.#stateEpoch += 1;
      this.#goTo('idle');
      const restored = 'twin';
      this.log.append({ type: 'session', state: 'idle', stateEpoch: this.#stateEpoch, reason, restored, lost });
    });
    if (this.#leaving !== old) return;
    // Nobody took its place.
    this.#leaving = undefined;
    old?.release();
    await old?.kill();
  }

  /** @throws Error where the twin is gone, or the session has ended or begun anew meanwhile */
  async #takeOver(twin: Twin): Promise<void> {
    const old = this.#leaving ?? this.#worker;
    if (old === undefined || hasEnded(this.#state) || this.#restarting !== undefined) {
      twin[Symbol.dispose]();
      await old?.kill();
      throw new Error('the session ended or was restarted meanwhile');
    }
    this.#leaving = old;
    this.#worker = undefined;
    this.#attempt += 1;
    const attempt = this.#attempt;
    const isSuperseded = () => attempt !== this.#attempt || hasEnded(this.#state);
    try {
      const successor = await old.replaceBy(twin);
      if (isSuperseded()) {
        await successor.kill();
        throw new Error('the session ended or was restarted meanwhile');
      }
      this.#worker = successor;
    } catch (error) {
      if (!isSuperseded()) this.#beginAnew(error);
      throw error;
    } finally {
      if (this.#leaving === old) this.#leaving = undefined;
      old.release();
    }
  }

  /** Until no worker is on its way out with a twin on its way in. */
  async #away(): Promise<void> {
    await Promise.allSettled([this.#takingOver, this.#goingBack]);
  }

  /** Neither the worker nor its twin is left. */
  #beginAnew(error: unknown): void {
    this.#observer.failed('a twin could not take the place of its worker', error);
    this.executions.cancelQueued();
    if (this.#options.onCrash === 'Lose') return void this.close('crash');
    if (this.#state !== 'recovering') this.#goTo('recovering');
    this.log.append({ type: 'session', state: 'recovering', stateEpoch: this.#stateEpoch, reason: 'crash' });
    this.#recovery.afterDeath(() => void this.#recover('crash'));
  }

  /** Reads of what a transaction hides are answered from the state before. */
  async #askOthersState(worker: SessionWorker, frame: Frame): Promise<unknown> {
    const snapshot = this.executions.isolated;
    if (snapshot === undefined) return await worker.ask(frame);
    try {
      if (snapshot.kind === 'copy') return await worker.ask({ ...frame, snapshot: snapshot.id });
      const frozen = await snapshot.twin.requests();
      return await frozen.ask(frame);
    } catch (error) {
      if (this.executions.isolated === snapshot) throw error;
      // It was committed, rolled back or lost meanwhile: the state of the worker is the one that others see.
      return await this.ask(frame);
    }
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
    this.#attempt += 1;
    const old = this.#takeWorker();
    if (this.#state !== 'recovering') this.#goTo('recovering');
    this.#recovery.reset();
    this.executions.lose('interrupt', 'the session was restarted while it ran');
    await Promise.all([old?.kill(), this.#away()]);
    try {
      await this.#replaceWorker('restart');
    } catch (error) {
      if (this.#state === 'recovering') this.#recovery.afterFailure(() => void this.#recover('restart'));
      throw error;
    }
  }

  /**
   * Goes on with a new worker and an empty namespace, unless somebody else took over meanwhile.
   * @throws ReplPoolError where no worker is to be had
   */
  async #replaceWorker(reason: SessionEnd | 'restart'): Promise<void> {
    this.#attempt += 1;
    const attempt = this.#attempt;
    const superseded = () => attempt !== this.#attempt || this.#state !== 'recovering';
    const worker = await this.#options.acquireWorker();
    if (superseded()) return void worker.kill();
    const opened = await this.#open(worker).catch((error: unknown) => {
      this.#recovery.died();
      if (this.#recovery.circuitOpenMs > 0) this.executions.cancelQueued();
      throw error;
    });
    if (superseded()) return void opened.kill();
    this.#worker = opened;
    this.#stateEpoch += 1;
    this.#goTo('idle');
    const lost = this.executions.forgetNames(`the worker that held it is gone (${reason})`);
    const restored = 'nothing';
    this.log.append({ type: 'session', state: 'idle', stateEpoch: this.#stateEpoch, reason, restored, lost });
    this.executions.next();
  }

  /** From now on the session has no worker; its questions are answered by an error. */
  #takeWorker(): SessionWorker | undefined {
    const worker = this.#worker;
    this.#worker = undefined;
    worker?.release();
    return worker;
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
