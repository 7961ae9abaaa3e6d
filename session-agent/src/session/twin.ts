import { randomBytes, randomUUID } from 'node:crypto';
import { type Branch, type FromWorkerFrame, fromWorkerSchema, ReplPoolError } from '@replpool/protocol';
import type { Expected, WorkerHub } from '../worker/hub.ts';
import type { Frame, FrameLink } from '../worker/link.ts';
import type { Successor } from '../worker/worker.ts';
import { WorkerRequests } from './worker-requests.ts';

/** How long a twin may take to say hello after its worker made it, and to go on after it was told to. */
const TWIN_DEADLINE_MS = 10_000;

/**
 * A frozen fork of a session's worker. It shares memory with it copy-on-write, answers questions about the state at the fork, and can take
 * its place. It ends when its link does.
 */
export class Twin implements Successor, Disposable {
  readonly id: string = randomUUID();
  readonly token: string = randomBytes(24).toString('base64url');
  /** Called once when it is gone, without having been disposed of or having taken over. */
  onLost: (() => void) | undefined;
  readonly #expectation: Disposable;
  readonly #connected = Promise.withResolvers<FrameLink>();
  readonly #ready = Promise.withResolvers<void>();
  #requests: WorkerRequests | undefined;
  /** Who hears it from its `ready` on. */
  #successor: Pick<Expected, 'frame' | 'closed'> | undefined;
  #receiver: Pick<Expected, 'frame' | 'closed'> | undefined;
  #pid = 0;
  #isGone = false;
  #oomStep = 0;

  private constructor(hub: WorkerHub) {
    this.#connected.promise.catch(() => undefined);
    this.#ready.promise.catch(() => undefined);
    this.#expectation = hub.expect(this.token, {
      connected: (link) => this.#connected.resolve(link),
      frame: (frame) => this.#receive(frame),
      closed: (error) => this.#closed(error),
    });
  }

  /** Waits for a twin that a worker is about to make. */
  static expect(hub: WorkerHub): Twin {
    return new Twin(hub);
  }

  get pid(): number {
    return this.#pid;
  }

  /** Its worker made it. */
  born(pid: number): void {
    this.#pid = pid;
    // Killed before it could say hello, or in a hook of the user's that hangs.
    this.requests().catch(() => this.#lost());
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  /** What it is asked, frozen or as its worker's successor. It exists from the hello on. @throws Error where it is gone */
  async requests(): Promise<WorkerRequests> {
    return this.#requestsOver(await inTime(this.#connected.promise, 'said no hello'));
  }

  /** Likewise, of one that has gone on. */
  get asked(): WorkerRequests {
    if (this.#requests === undefined) throw new Error('a twin that has not gone on');
    return this.#requests;
  }

  async resume(receiver: Pick<Expected, 'frame' | 'closed'>, branch?: Branch): Promise<FrameLink> {
    const link = await inTime(this.#connected.promise, 'said no hello');
    if (this.#isGone) throw new Error('the twin is gone');
    this.#successor = receiver;
    link.send({ type: 'resume', ...(branch && { branch }) });
    await inTime(this.#ready.promise, 'did not go on');
    this.#requestsOver(link);
    return link;
  }

  /** Where memory is short the kernel is to take it rather than others, by so many thousandths of the memory. */
  yieldsMemory(step: number): void {
    if (this.#isGone || this.#oomStep === step) return;
    this.#oomStep = step;
    this.#connected.promise.then(
      (link) => link.send({ type: 'oom_step', step }),
      () => undefined,
    );
  }

  /** It is not needed any more. */
  [Symbol.dispose](): void {
    if (this.#isGone || this.#receiver !== undefined) return;
    this.#isGone = true;
    this.#expectation[Symbol.dispose]();
    this.#connected.reject(new ReplPoolError('WORKER_FAILED', 'the twin is not needed any more'));
    this.#connected.promise.then(
      (link) => link[Symbol.dispose](),
      () => undefined,
    );
  }

  #requestsOver(link: FrameLink): WorkerRequests {
    this.#requests ??= new WorkerRequests((frame) => link.send(frame));
    return this.#requests;
  }

  #receive(frame: Frame): void {
    if (this.#receiver !== undefined) {
      this.#receiver.frame(frame);
      return;
    }
    const parsed: FromWorkerFrame = fromWorkerSchema.parse(frame);
    if (parsed.type === 'ready') {
      if (this.#successor === undefined) throw new Error('a twin went on that was not told to');
      // What comes in the same piece is for it already.
      this.#receiver = this.#successor;
      this.#ready.resolve();
    } else if (parsed.type === 'reply' || parsed.type === 'problem') this.#requests?.answer(parsed);
  }

  #closed(error: Error | undefined): void {
    if (this.#receiver !== undefined) {
      this.#receiver.closed(error);
      return;
    }
    const gone = new ReplPoolError('WORKER_FAILED', 'the twin is gone', { cause: error });
    this.#connected.reject(gone);
    this.#ready.reject(gone);
    this.#requests?.fail(gone);
    this.#lost();
  }

  #lost(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#expectation[Symbol.dispose]();
    this.onLost?.();
  }
}

async function inTime<T>(promise: Promise<T>, fault: string): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`the twin ${fault} within ${TWIN_DEADLINE_MS / 1000} s`)),
    TWIN_DEADLINE_MS,
  );
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
