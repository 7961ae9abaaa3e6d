import { randomBytes, randomUUID } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type FromWorkerFrame, fromWorkerSchema } from '@replpool/protocol';
import type { Logger } from 'pino';
import type { Cgroup, CgroupUsage, FinalCount } from '../cgroup/cgroup.ts';
import type { Cgroups } from '../cgroup/cgroups.ts';
import type { CgroupLimits } from '../cgroup/version.ts';
import type { ExitStatus } from './exit.ts';
import type { WorkerHub } from './hub.ts';
import type { Launcher } from './launcher.ts';
import type { Frame, FrameLink } from './link.ts';
import { OutputPipe } from './output-pipe.ts';
import { StreamTextDecoder } from './text-decoder.ts';

export type OutputStream = 'stdout' | 'stderr';

/** What a worker tells its session. Output always comes before the frame that was made after it. */
export interface WorkerEvents {
  frame(frame: FromWorkerFrame): void;
  output(stream: OutputStream, text: string): void;
  /** Called once, with all output delivered. */
  exited(status: ExitStatus, protocolError: Error | undefined): void;
}

/** How long a fork may take until it is ready. */
const READY_DEADLINE_MS = 30_000;
const STREAMS: readonly OutputStream[] = ['stdout', 'stderr'];

/** One worker process: its link, its two output pipes, its cgroup, its exit. */
export class Worker {
  readonly id: string;
  readonly pid: number;
  readonly #launcher: Launcher;
  readonly #cgroup: Cgroup | undefined;
  readonly #log: Logger;
  readonly #link: FrameLink;
  readonly #pipes: Record<OutputStream, OutputPipe>;
  readonly #decoders: Record<OutputStream, StreamTextDecoder>;
  #events: WorkerEvents | undefined;
  #exit: ExitStatus | undefined;
  #protocolError: Error | undefined;
  #linkClosed = false;
  #ending: Promise<void> | undefined;
  /** What its cgroup counted until it began to end. */
  #final: FinalCount = { oomKills: 0 };

  private constructor(parts: {
    id: string;
    pid: number;
    launcher: Launcher;
    cgroup: Cgroup | undefined;
    log: Logger;
    link: FrameLink;
    pipes: Record<OutputStream, OutputPipe>;
    decoders: Record<OutputStream, StreamTextDecoder>;
  }) {
    this.id = parts.id;
    this.pid = parts.pid;
    this.#launcher = parts.launcher;
    this.#cgroup = parts.cgroup;
    this.#log = parts.log;
    this.#link = parts.link;
    this.#pipes = parts.pipes;
    this.#decoders = parts.decoders;
    this.#launcher.onExit(this.pid, (status) => this.#ended(status));
  }

  /** Forks a worker from a zygote; resolves when it is ready for `open`. */
  static async fork(options: {
    launcher: Launcher;
    hub: WorkerHub;
    cgroups: Cgroups | undefined;
    zygote: string;
    runDirectory: string;
    log: Logger;
  }): Promise<Worker> {
    const { launcher, hub, cgroups, zygote, runDirectory, log } = options;
    const id = randomUUID();
    const cgroup = await cgroups?.create(id);
    const directory = join(runDirectory, 'workers', id);
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const token = randomBytes(24).toString('base64url');
    const ready = Promise.withResolvers<void>();
    ready.promise.catch(() => undefined);
    const connected = Promise.withResolvers<{ link: FrameLink; pipes: Record<OutputStream, OutputPipe> }>();
    connected.promise.catch(() => undefined);
    let worker: Worker | undefined;
    const decoders = { stdout: new StreamTextDecoder(), stderr: new StreamTextDecoder() };
    const deliver = (stream: OutputStream) => (chunk: Buffer) => {
      const text = decoders[stream].push(chunk);
      if (worker) worker.#events?.output(stream, text);
    };
    using expectation = hub.expect(token, {
      connected: (link) => {
        const pipes = {
          stdout: new OutputPipe(join(directory, 'out'), deliver('stdout')),
          stderr: new OutputPipe(join(directory, 'err'), deliver('stderr')),
        };
        connected.resolve({ link, pipes });
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
      const { link, pipes } = await Promise.race([connected.promise, late.promise]);
      worker = new Worker({ id, pid, launcher, cgroup, log, link, pipes, decoders });
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
    return (await this.#cgroup?.usage()) ?? {};
  }

  /** Has it read what it was sent, where code that keeps its interpreter can be brought to let it. */
  wake(): void {
    if (this.alive) this.#launcher.wake(this.id, this.pid);
  }

  /** Where its threads stand; empty where that is not to be had. */
  stacks(): Promise<string> {
    return this.#launcher.stacks(this.id, this.pid);
  }

  /** Ends the process and all that it started; resolves when nothing of it is left. Its exit is still announced. */
  kill(): Promise<void> {
    if (this.#ending === undefined) {
      // Its socket may end before its exit is told: this is the first that we hear of its end, and the last of its cgroup.
      this.#final = this.#count();
      this.#ending = this.#kill();
    }
    return this.#ending;
  }

  async #kill(): Promise<void> {
    const byLauncher = this.#launcher.kill(this.id, this.pid);
    // Not one after the other: what left its session is the cgroup's to find, and what is in no cgroup the launcher's.
    await this.#cgroup?.end().catch((err: unknown) => this.#log.error({ err }, 'a cgroup could not be removed'));
    await byLauncher;
  }

  #receive(frame: Frame): void {
    const parsed = fromWorkerSchema.parse(frame);
    if ('pipes' in parsed) this.#drain(parsed.pipes);
    if (parsed.type === 'finished') this.#flushText();
    this.#events?.frame(parsed);
  }

  #drain(pipes: readonly [number, number]): void {
    if (pipes[0] > 0) this.#pipes.stdout.drain();
    if (pipes[1] > 0) this.#pipes.stderr.drain();
  }

  /** Half a code point at the end of an execution belongs to it, escaped; it never waits for the next one's bytes. */
  #flushText(): void {
    for (const stream of STREAMS) {
      const text = this.#decoders[stream].flush();
      if (text !== '') this.#events?.output(stream, text);
    }
  }

  #disconnected(error: Error | undefined): void {
    this.#protocolError ??= error;
    this.#linkClosed = true;
    if (this.#exit) this.#finish(this.#exit);
    // A worker without its protocol is of no use to anyone, whether it broke it or is already dying.
    else void this.kill();
  }

  /**
   * The process was reaped. What it sent before may still be on its way to us: its end is announced at the end of its socket, which is
   * sure to come, for `kill` takes every process that could hold the other side open.
   */
  #ended(status: ExitStatus): void {
    void this.kill();
    const { oomKills, cpuMs } = this.#final;
    const exit = { ...status, oom: status.signal === 'SIGKILL' && oomKills > 0, cpuMs };
    this.#exit = exit;
    if (this.#linkClosed) this.#finish(exit);
  }

  #count(): FinalCount {
    try {
      return this.#cgroup?.finalCount() ?? { oomKills: 0 };
    } catch (err) {
      this.#log.error({ err }, "a worker's cgroup could not be read");
      return { oomKills: 0 };
    }
  }

  #finish(status: ExitStatus): void {
    this.#drain([1, 1]);
    this.#flushText();
    for (const stream of STREAMS) this.#pipes[stream][Symbol.dispose]();
    if (this.#events) this.#announceExit(status);
  }

  #announceExit(status: ExitStatus): void {
    const events = this.#events;
    this.#events = undefined;
    events?.exited(status, this.#protocolError);
  }
}
