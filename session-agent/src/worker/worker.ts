import { randomBytes, randomUUID } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Branch, type FromWorkerFrame, fromWorkerSchema } from '@replpool/protocol';
import type { Logger } from 'pino';
import type { Cgroup, CgroupUsage, FinalCount } from '../cgroup/cgroup.ts';
import type { Cgroups } from '../cgroup/cgroups.ts';
import type { CgroupLimits } from '../cgroup/version.ts';
import type { ExitStatus } from './exit.ts';
import type { Expected, WorkerHub } from './hub.ts';
import type { Launcher } from './launcher.ts';
import type { Frame, FrameLink } from './link.ts';
import { type OutputStream, Outputs } from './outputs.ts';

/** What a worker tells its session. Output always comes before the frame that was made after it. */
export interface WorkerEvents {
  frame(frame: FromWorkerFrame): void;
  output(stream: OutputStream, text: string): void;
  /** Called once, with all output delivered. */
  exited(status: ExitStatus, protocolError: Error | undefined): void;
}

/** A frozen fork of a worker, which can take its place or become a worker beside it. */
export interface Successor {
  readonly pid: number;
  /** It has ended, or is about to. */
  readonly isGone: boolean;
  /** Its id as a worker. */
  readonly id: string;
  /** Has it go on; resolves when it is ready. @throws Error where it is gone */
  resume(receiver: Pick<Expected, 'frame' | 'closed'>, branch?: Branch): Promise<FrameLink>;
}

/** What the workers of one agent stand on. */
export interface WorkerGround {
  readonly launcher: Launcher;
  readonly hub: WorkerHub;
  readonly cgroups: Cgroups | undefined;
  readonly runDirectory: string;
  readonly log: Logger;
}

/** What a process that is reaped has sent and we have not read is here by then; a fork of it that holds its socket open keeps it open no longer. */
const LAST_WORDS_MS = 100;
/** How long a fork may take until it is ready. */
const READY_DEADLINE_MS = 30_000;
const NOTHING_COUNTED: FinalCount = { oomKills: 0 };

/** What a live copy of a worker is to have of its own. */
export class PreparedBranch implements AsyncDisposable {
  /** Its pipes are made in there. */
  readonly directory: string;
  #cgroup: Cgroup | undefined;

  constructor(directory: string, cgroup: Cgroup | undefined) {
    this.directory = directory;
    this.#cgroup = cgroup;
  }

  get cgroup(): Cgroup | undefined {
    return this.#cgroup;
  }

  /** It is the worker's from now on. */
  take(): Cgroup | undefined {
    const cgroup = this.#cgroup;
    this.#cgroup = undefined;
    return cgroup;
  }

  /** What no worker took is of no use: ends what is in the cgroup too. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.take()?.end(), rm(this.directory, { recursive: true, force: true })]);
  }
}

/** One worker process: its link, its two output pipes, its cgroup, its exit. */
export class Worker {
  readonly id: string;
  readonly pid: number;
  readonly #ground: WorkerGround;
  /** Of this worker, or of its twins after it. */
  #cgroup: Cgroup | undefined;
  readonly #link: FrameLink;
  readonly #outputs: Outputs;
  #events: WorkerEvents | undefined;
  #exit: ExitStatus | undefined;
  #protocolError: Error | undefined;
  #linkClosed = false;
  #isDrained = false;
  /** The end of its processes, and of its cgroup. */
  #ending: Promise<void> | undefined;
  #cleared: Promise<void> | undefined;
  #othersEnded: Promise<void> | undefined;
  #spared = false;
  #sparedEnded: Promise<void> | undefined;
  /** Its process is reaped and all that it sent is delivered. */
  readonly #gone = Promise.withResolvers<void>();
  /** What its cgroup had counted when it took over, and when it began to end. */
  #before: FinalCount;
  #final: FinalCount | undefined;
  readonly #twins = new Set<Successor>();
  /** Its pipes and its cgroup are another's. */
  #isReplaced = false;

  private constructor(parts: {
    id: string;
    pid: number;
    ground: WorkerGround;
    cgroup: Cgroup | undefined;
    link: FrameLink;
    outputs: Outputs;
    before: FinalCount;
  }) {
    this.id = parts.id;
    this.pid = parts.pid;
    this.#ground = parts.ground;
    this.#cgroup = parts.cgroup;
    this.#link = parts.link;
    this.#outputs = parts.outputs;
    this.#before = parts.before;
    this.#outputs.receiver = (stream, text) => this.#events?.output(stream, text);
    this.#ground.launcher.onExit(this.pid, (status) => this.#ended(status));
  }

  /** Forks a worker from a zygote; resolves when it is ready for `open`. */
  static async fork(zygote: string, ground: WorkerGround): Promise<Worker> {
    const { launcher, hub, cgroups, runDirectory, log } = ground;
    const id = randomUUID();
    const cgroup = await cgroups?.create(id);
    const directory = join(runDirectory, 'workers', id);
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const token = randomBytes(24).toString('base64url');
    const ready = Promise.withResolvers<void>();
    ready.promise.catch(() => undefined);
    const connected = Promise.withResolvers<{ link: FrameLink; outputs: Outputs }>();
    connected.promise.catch(() => undefined);
    let worker: Worker | undefined;
    using expectation = hub.expect(token, {
      connected: (link) => {
        connected.resolve({ link, outputs: new Outputs(directory) });
      },
      frame: (frame) => {
        if (frame.type === 'ready') ready.resolve();
        else if (worker) worker.#receive(frame);
      },
      closed: (error) => {
        const lost = error ?? new Error('the worker closed its connection before it was ready');
        connected.reject(lost);
        ready.reject(lost);
        if (worker) worker.#disconnected(error);
      },
    });
    const late = Promise.withResolvers<never>();
    const deadline = setTimeout(
      () => late.reject(new Error(`a forked worker was not ready within ${READY_DEADLINE_MS / 1000} s`)),
      READY_DEADLINE_MS,
    );
    const forked = launcher.fork({ zygote, worker: id, socket: hub.path, token, directory });
    try {
      const pid = await Promise.race([forked, late.promise]);
      const { link, outputs } = await Promise.race([connected.promise, late.promise]);
      worker = new Worker({ id, pid, ground, cgroup, link, outputs, before: NOTHING_COUNTED });
      // Here and not when a session takes it: a move waits for a grace period of the kernel, and a warm fork has the time.
      await Promise.all([cgroup?.add(pid), Promise.race([ready.promise, late.promise])]);
      return worker;
    } catch (error) {
      // However late it comes into being, it does not stay.
      forked
        .then((pid) => launcher.kill(id, pid))
        .catch(() => undefined)
        .then(() => cgroup?.end())
        .catch((err: unknown) => log.error({ err }, "a worker's cgroup could not be removed"));
      throw error;
    } finally {
      clearTimeout(deadline);
      void expectation;
      rmSync(directory, { recursive: true, force: true });
    }
  }

  /** Makes `events` the receiver of everything that follows. */
  attach(events: WorkerEvents): void {
    this.#events = events;
    if (this.#exit && this.#linkClosed) this.#announceExit(this.#exit);
  }

  get alive(): boolean {
    return this.#exit === undefined;
  }

  send(frame: Frame): void {
    this.#link.send(frame);
  }

  /** Sets what it and all that it starts may use together. @throws Error where the kernel refuses */
  async limit(limits: CgroupLimits): Promise<void> {
    await this.#cgroup?.limit(limits);
  }

  /** What it and all that it started use; empty without a cgroup. */
  async usage(): Promise<CgroupUsage> {
    const usage = (await this.#cgroup?.usage()) ?? {};
    const { cpuMs: before } = this.#before;
    if (usage.cpuMs === undefined || before === undefined) return usage;
    return { ...usage, cpuMs: Math.max(0, usage.cpuMs - before) };
  }

  /** Where its forks say hello. */
  get hub(): WorkerHub {
    return this.#ground.hub;
  }

  /** It is to have twins, which go on when this process ends. They are counted in the same cgroup. */
  async allowTwins(): Promise<void> {
    // The kernel is to take the process that ran out of memory, and leave the twin.
    await this.#cgroup?.killAlone();
  }

  /** A twin was made, which does not end with it. */
  keep(twin: Successor): void {
    for (const former of this.#twins) if (former.isGone) this.#twins.delete(former);
    this.#twins.add(twin);
  }

  /** A twin ended that nobody has ended: if the kernel took it for want of memory, that is not to be told of this process. */
  twinLost(): void {
    const { oomKills } = this.#count();
    this.#before = { ...this.#before, oomKills };
  }

  get #living(): readonly Successor[] {
    return [...this.#twins].filter(({ isGone }) => !isGone);
  }

  /**
   * Ends this process with all that it started, and has a twin go on with its pipes and its cgroup. Output that it wrote comes before.
   *
   * @param attach makes somebody the receiver of what the successor says; called once
   * @throws Error where the twin is gone
   */
  async replaceBy(twin: Successor, attach: (successor: Worker) => void): Promise<void> {
    const { launcher } = this.#ground;
    const adopted = launcher.adopt({ worker: twin.id, pid: twin.pid, of: this.id });
    this.#isReplaced = true;
    try {
      await this.kill();
      await this.#gone.promise;
      if (!(await adopted)) throw new Error('the process that was said to be its twin is none');
      await Worker.#resume(twin, undefined, (link) => {
        const cgroup = this.#cgroup;
        this.#cgroup = undefined;
        const parts = { id: twin.id, pid: twin.pid, ground: this.#ground, cgroup, link, outputs: this.#outputs };
        const successor = new Worker({
          ...parts,
          before: cgroup === undefined ? NOTHING_COUNTED : this.#count(cgroup),
        });
        for (const other of this.#living) if (other !== twin) successor.keep(other);
        this.#twins.clear();
        attach(successor);
        return successor;
      });
    } catch (error) {
      this.#twins.clear();
      this.#outputs[Symbol.dispose]();
      // It may be there all the same, and hear nothing: stopped, or in a hook of the user's that hangs.
      await Promise.all([this.kill(), launcher.kill(twin.id, twin.pid)]);
      throw error;
    }
  }

  /**
   * Makes what a live copy of this process is to have of its own, beside the making of the copy.
   *
   * @param id of the copy as a worker
   */
  async prepareBranch(id: string, limits: CgroupLimits): Promise<PreparedBranch> {
    const { cgroups, runDirectory } = this.#ground;
    const directory = join(runDirectory, 'workers', id);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const cgroup = await cgroups?.create(id).catch(async (error: unknown) => {
      await rm(directory, { recursive: true, force: true });
      throw error;
    });
    const prepared = new PreparedBranch(directory, cgroup);
    try {
      await cgroup?.limit(limits);
      return prepared;
    } catch (error) {
      await prepared[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * Processes are about to be moved into cgroups of their own. The first move after a while waits for a grace period of the kernel (10 to 20
   * ms), those that come close behind it do not: a move that changes nothing can be waited for beside what else has to be done.
   */
  async prepareMoves(): Promise<void> {
    await this.#cgroup?.add(this.pid);
  }

  /**
   * Has a live copy of this process go on as a worker beside it, with pipes and a cgroup of its own.
   *
   * @param attach makes somebody the receiver of what it says; called once
   * @param prepared is the caller's to dispose of, however this ends
   * @throws Error where the copy is gone or is none; then nothing is left of it, once that is done
   */
  async branch(
    copy: Successor,
    prepared: PreparedBranch,
    branch: Omit<Branch, 'directory'>,
    attach: (worker: Worker) => void,
  ): Promise<void> {
    const { id, pid } = copy;
    const { launcher } = this.#ground;
    const { directory } = prepared;
    // Before the process is moved: its number comes from one that runs user code.
    const isAdopted = await launcher.adopt({ worker: id, pid, of: this.id, directory });
    let outputs: Outputs | undefined;
    try {
      if (!isAdopted) throw new Error('the process that was said to be its copy is none');
      const opened = new Outputs(directory);
      outputs = opened;
      await prepared.cgroup?.add(pid);
      await Worker.#resume(copy, { ...branch, directory }, (link) => {
        const parts = { id, pid, ground: this.#ground, cgroup: prepared.take(), link, outputs: opened };
        const worker = new Worker({ ...parts, before: NOTHING_COUNTED });
        attach(worker);
        return worker;
      });
    } catch (error) {
      outputs?.[Symbol.dispose]();
      if (isAdopted) await launcher.kill(id, pid);
      throw error;
    }
  }

  /** Has a fork go on, and makes it a worker before it is heard. */
  static async #resume(fork: Successor, branch: Branch | undefined, make: (link: FrameLink) => Worker): Promise<void> {
    let tell = (heard: (worker: Worker) => void): unknown => early.push(heard);
    const early: ((worker: Worker) => void)[] = [];
    const link = await fork.resume(
      {
        frame: (frame) => tell((worker) => worker.#receive(frame)),
        closed: (error) => tell((worker) => worker.#disconnected(error)),
      },
      branch,
    );
    const worker = make(link);
    tell = (heard) => heard(worker);
    for (const heard of early) heard(worker);
  }

  /** Has it read what it was sent, where code that keeps its interpreter can be brought to let it. */
  wake(): void {
    if (this.alive) this.#ground.launcher.wake(this.id, this.pid);
  }

  /** Where its threads stand; empty where that is not to be had. */
  stacks(): Promise<string> {
    return this.#ground.launcher.stacks(this.id, this.pid);
  }

  /**
   * Ends the process and all that it started, but for its twins; resolves when nothing of it is left. Its exit is still announced. Once
   * there is no twin, a further call ends what a first one has left.
   */
  async kill(): Promise<void> {
    // Its socket may end before its exit is told: this is the first that we hear of its end, and the last of its cgroup.
    this.#final ??= this.#count();
    const spare = this.#living.map(({ pid }) => pid);
    const { launcher, log } = this.#ground;
    if (this.#ending === undefined) {
      this.#spared = spare.length > 0;
      this.#ending = launcher.kill(this.id, this.pid, spare);
    }
    if (this.#spared && spare.length === 0) {
      // One that was spared and hears nothing: in a hook of the user's that hangs.
      this.#sparedEnded ??= this.#ending.then(() => launcher.kill(this.id, this.pid));
    }
    // Not one after the other: what left its session is the cgroup's to find, and what is in no cgroup the launcher's.
    const ended = spare.length === 0 ? this.#clear() : this.#endOthers(spare);
    await ended?.catch((err: unknown) => log.error({ err }, 'a cgroup could not be removed'));
    await Promise.all([this.#ending, this.#sparedEnded]);
    if (this.#isDrained && spare.length === 0 && !this.#isReplaced) this.#outputs[Symbol.dispose]();
  }

  /** Once: two at the same time would take each other's limit of processes for the former one. */
  #endOthers(spare: readonly number[]): Promise<void> | undefined {
    this.#othersEnded ??= this.#cgroup?.endOthers(spare);
    return this.#othersEnded;
  }

  #clear(): Promise<void> | undefined {
    this.#cleared ??= this.#cgroup?.end();
    return this.#cleared;
  }

  #receive(frame: Frame): void {
    const parsed = fromWorkerSchema.parse(frame);
    if ('pipes' in parsed) this.#outputs.drain(parsed.pipes);
    if (parsed.type === 'finished') this.#outputs.flush();
    this.#events?.frame(parsed);
  }

  #disconnected(error: Error | undefined): void {
    this.#protocolError ??= error;
    this.#linkClosed = true;
    if (this.#exit) this.#finish(this.#exit);
    // A worker without its protocol is of no use to anyone, whether it broke it or is already dying.
    else void this.kill();
  }

  /**
   * The process was reaped. What it sent before may still be on its way to us: its end is announced at the end of its socket. `kill` takes
   * every process that could hold the other side open, but for a twin that has not let go of it.
   */
  #ended(status: ExitStatus): void {
    void this.kill().then(() => setTimeout(() => this.#link[Symbol.dispose](), LAST_WORDS_MS).unref());
    const { oomKills, cpuMs } = this.#final ?? NOTHING_COUNTED;
    const before = this.#before;
    const exit = {
      ...status,
      oom: status.signal === 'SIGKILL' && oomKills > before.oomKills,
      cpuMs: cpuMs === undefined ? undefined : Math.max(0, cpuMs - (before.cpuMs ?? 0)),
    };
    this.#exit = exit;
    if (this.#linkClosed) this.#finish(exit);
  }

  #count(cgroup = this.#cgroup): FinalCount {
    try {
      return cgroup?.finalCount() ?? NOTHING_COUNTED;
    } catch (err) {
      this.#ground.log.error({ err }, "a worker's cgroup could not be read");
      return NOTHING_COUNTED;
    }
  }

  #finish(status: ExitStatus): void {
    this.#outputs.drain([1, 1]);
    this.#outputs.flush();
    this.#isDrained = true;
    if (this.#isReplaced || this.#living.length > 0) this.#outputs.receiver = undefined;
    else this.#outputs[Symbol.dispose]();
    if (this.#events) this.#announceExit(status);
    this.#gone.resolve();
  }

  #announceExit(status: ExitStatus): void {
    const events = this.#events;
    this.#events = undefined;
    events?.exited(status, this.#protocolError);
  }
}
