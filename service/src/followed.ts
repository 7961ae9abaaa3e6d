/** A kubelet brings what changed within a minute or two anyway. */
const LOOK_MS = 5_000;

export interface FollowedOptions<T> {
  /** Rejects where what is there is of no use. */
  read(): Promise<T>;
  isSame(before: T, now: T): boolean;
  /** May refuse it by throwing, which is a failure too. */
  changed?(now: T): void;
  /** Told once of each cause; the value that was read before stays. */
  failed(error: unknown): void;
  readonly lookMs?: number;
}

/**
 * What files hold, read again as they change. By looking, not by inotify: a kubelet swaps a symbolic link two folders away, and a watch that
 * follows it ends with the folder that it was set on.
 */
export class Followed<T> implements Disposable {
  readonly #options: FollowedOptions<T>;
  #value: T;
  #timer: NodeJS.Timeout | undefined;
  #disposed = false;
  #failure = '';

  /** @throws Error where they are of no use from the beginning */
  static async open<T>(options: FollowedOptions<T>): Promise<Followed<T>> {
    return new Followed(options, await options.read());
  }

  private constructor(options: FollowedOptions<T>, value: T) {
    this.#options = options;
    this.#value = value;
    this.#later();
  }

  get value(): T {
    return this.#value;
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    clearTimeout(this.#timer);
  }

  #later(): void {
    if (this.#disposed) return;
    this.#timer = setTimeout(() => void this.#look().then(() => this.#later()), this.#options.lookMs ?? LOOK_MS);
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    const { read, isSame, changed, failed } = this.#options;
    try {
      const now = await read();
      if (this.#disposed) return;
      if (!isSame(this.#value, now)) {
        changed?.(now);
        this.#value = now;
      }
      this.#failure = '';
    } catch (error) {
      const failure = String(error);
      if (this.#disposed || failure === this.#failure) return;
      this.#failure = failure;
      failed(error);
    }
  }
}
