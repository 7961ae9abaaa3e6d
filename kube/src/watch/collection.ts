import { type Backoff, backoffMs } from '@replpool/service';
import type { Logger } from 'pino';
import type { ApiClient, Query } from '../api/client.ts';
import { ApiError, classify } from '../api/errors.ts';
import { type KubeObject, keyOf, toKubeObject } from '../api/object.ts';
import { apiVersionOf, pathOf, type Resource } from '../api/resource.ts';
import { type Clock, pause, systemClock } from '../clock.ts';
import { type Change, changeOf, changesOf } from './changes.ts';
import { SilentError, watchOnce } from './connection.ts';
import { list } from './list.ts';
import type { WatchEvent } from './watch-event.ts';
import type { Restart, WatchMetrics } from './watch-metrics.ts';

/** A bookmark comes about once a minute; two may be missed. */
const SILENT_MS = 150_000;
/** client-go's reflector: 800 ms to 30 s. The first is shorter, for a connection that a load balancer cut. */
const BACKOFF: Backoff = { firstMs: 200, longestMs: 30_000, jitter: 0.5 };
/** After so many answers that are no watch, the version itself is doubted (an etcd restored from a backup). */
const DOUBTED = 5;

/** What is told of each change, after the store has it. What they throw is logged, and no one else's trouble. */
export interface Handlers<T> {
  added?(now: T): void;
  /** Also at each resync, then with the same object twice. */
  changed?(before: T, now: T): void;
  deleted?(before: T): void;
}

export interface CollectionOptions<T extends KubeObject> {
  readonly client: ApiClient;
  readonly resource: Resource;
  /** All namespaces where there is none. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Narrows an object, and drops what nobody reads. One that it throws at is logged and is not in the store. */
  readonly parse: (object: KubeObject) => T;
  readonly handlers: Handlers<T>;
  readonly metrics: WatchMetrics;
  readonly log: Logger;
  /** Tells every object anew as changed, this often; 0 for never. */
  readonly resyncMs?: number;
  readonly silentMs?: number;
  readonly backoff?: Backoff;
  readonly clock?: Clock;
  readonly random?: () => number;
}

/** One collection of resources, kept as the API server has it by list and watch, for as long as `run` runs. */
export class Collection<T extends KubeObject> {
  readonly #options: CollectionOptions<T>;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #path: string;
  readonly #query: Query;
  readonly #label: string;
  readonly #silentMs: number;
  readonly #backoff: Backoff;
  readonly #random: () => number;
  #objects = new Map<string, T>();
  #resourceVersion: string | undefined;
  #heardAt: number;
  #failures = 0;
  #refusals = 0;
  readonly #synced = Promise.withResolvers<void>();

  constructor(options: CollectionOptions<T>) {
    const { resource, namespace, labelSelector, fieldSelector, log, clock = systemClock } = options;
    this.#options = options;
    this.#clock = clock;
    this.#label = resource.plural;
    this.#log = log.child({ watch: this.#label });
    this.#path = pathOf(resource, { namespace });
    this.#query = { labelSelector, fieldSelector };
    this.#silentMs = options.silentMs ?? SILENT_MS;
    this.#backoff = options.backoff ?? BACKOFF;
    this.#random = options.random ?? Math.random;
    this.#heardAt = clock.now();
    // Nobody needs to wait for it.
    this.#synced.promise.catch(() => {});
  }

  /** Once the first list was told to the handlers; rejects if the collection was stopped before. */
  get synced(): Promise<void> {
    return this.#synced.promise;
  }

  get size(): number {
    return this.#objects.size;
  }

  /** @param key as `keyOf`: namespace/name */
  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  values(): IterableIterator<T> {
    return this.#objects.values();
  }

  /** Lists and watches until the signal aborts, through every failure on the way. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    // No longer than it runs: of an operator that led before, nothing is stale.
    using _watched = this.#options.metrics.register(this.#label, () => this.#heardAt);
    using resync = new DisposableStack();
    const { resyncMs = 0 } = this.#options;
    let timer: Disposable | undefined;
    const arm = (): void => {
      timer = this.#clock.after(resyncMs, () => {
        for (const it of [...this.#objects.values()]) this.#tell({ kind: 'changed', before: it, now: it });
        arm();
      });
    };
    if (resyncMs > 0) arm();
    resync.defer(() => timer?.[Symbol.dispose]());
    while (!signal.aborted) {
      let askedMs = 0;
      try {
        if (this.#resourceVersion === undefined) await this.#list(signal);
        await this.#watch(signal);
        this.#restarted('closed');
      } catch (error) {
        if (!signal.aborted) this.#failed(error);
        askedMs = (error instanceof ApiError && error.retryAfterMs) || 0;
      }
      const ownMs = backoffMs(this.#failures, this.#backoff, this.#random());
      await pause(this.#clock, Math.max(ownMs, askedMs), signal);
      this.#failures += 1;
    }
    this.#synced.reject(signal.reason);
  }

  async #list(signal: AbortSignal): Promise<void> {
    this.#options.metrics.lists.inc({ resource: this.#label });
    const { items, resourceVersion } = await list(this.#options.client, this.#path, this.#query, signal);
    const listed = items.flatMap((item) => this.#parse(item) ?? []);
    const changes = changesOf(this.#objects, listed);
    this.#objects = new Map(listed.map((it) => [keyOf(it), it]));
    this.#heard(resourceVersion);
    for (const change of changes) this.#tell(change);
    this.#synced.resolve();
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const events = watchOnce({
      client: this.#options.client,
      path: this.#path,
      query: this.#query,
      resourceVersion: this.#resourceVersion ?? '',
      clock: this.#clock,
      silentMs: this.#silentMs,
      random: this.#random,
      signal,
    });
    for await (const event of events) this.#take(event);
  }

  #take(event: WatchEvent): void {
    if (event.type === 'BOOKMARK') {
      this.#heard(event.resourceVersion);
      return;
    }
    const { metadata } = toKubeObject(event.object);
    this.#heard(metadata.resourceVersion);
    const now = this.#parse(event.object);
    const key = keyOf({ metadata });
    const before = this.#objects.get(key);
    if (event.type === 'DELETED' || now === undefined) {
      // What cannot be read any more must not be acted on as it was.
      if (before === undefined) return;
      this.#objects.delete(key);
      this.#tell({ kind: 'deleted', before: now ?? before });
      return;
    }
    this.#objects.set(key, now);
    for (const change of changeOf(before, now)) this.#tell(change);
  }

  #heard(resourceVersion: string): void {
    this.#resourceVersion = resourceVersion;
    this.#heardAt = this.#clock.now();
    this.#failures = 0;
    this.#refusals = 0;
  }

  #parse(item: unknown): T | undefined {
    try {
      // The items of a list come without these two.
      const { resource, parse } = this.#options;
      return parse({ ...toKubeObject(item), apiVersion: apiVersionOf(resource), kind: resource.kind });
    } catch (error) {
      this.#log.error({ err: error }, 'an object could not be read and is left out');
      return undefined;
    }
  }

  #tell(change: Change<T>): void {
    const { handlers } = this.#options;
    try {
      if (change.kind === 'added') handlers.added?.(change.now);
      else if (change.kind === 'deleted') handlers.deleted?.(change.before);
      else handlers.changed?.(change.before, change.now);
    } catch (error) {
      this.#log.error({ err: error, change: change.kind }, 'a handler failed');
    }
  }

  #failed(error: unknown): void {
    const answered = error instanceof ApiError;
    if (answered) this.#refusals += 1;
    const gone = classify(error) === 'Gone';
    // An ERROR event and a line that is none leave in doubt what else was missed.
    const unreadable = error instanceof SyntaxError || error instanceof TypeError;
    if (gone || unreadable || this.#refusals >= DOUBTED) this.#resourceVersion = undefined;
    const reason = gone ? 'gone' : error instanceof SilentError ? 'silent' : 'error';
    this.#restarted(reason);
    this.#log[gone ? 'info' : 'warn']({ err: error, failures: this.#failures + 1 }, 'the watch starts anew');
  }

  #restarted(reason: Restart): void {
    this.#options.metrics.restarts.inc({ resource: this.#label, reason });
  }
}
