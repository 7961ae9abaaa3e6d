import { randomUUID } from 'node:crypto';
import { type ApiClient, type Clock, classify, type KubeObject, pathOf, resources, systemClock } from '@replpool/kube';
import type { Logger } from 'pino';
import { microTime } from './micro-time.ts';
import { TokenBucket } from './token-bucket.ts';

export interface Transition {
  readonly type: 'Normal' | 'Warning';
  /** CamelCase, for machines, as `PodsForbidden`. */
  readonly reason: string;
  /** CamelCase, what the operator did or tried, as `CreatePod`. */
  readonly action: string;
  /** For people. */
  readonly note: string;
  /** Another object that took part, as the pod of a pool. */
  readonly related?: KubeObject;
}

export interface EventRecorderOptions {
  readonly client: ApiClient;
  readonly log: Logger;
  /** This process, as its pod's name. */
  readonly instance: string;
  readonly clock?: Clock;
}

const CONTROLLER = 'replpool.dev/operator';
/** What the API server takes of a note, in bytes. */
const NOTE = 1024;
/** Series that are remembered; the oldest is forgotten, and would begin anew. */
const REMEMBERED = 2_048;
/** As client-go's spam filter: 25 an object at once, then one in five minutes; for warnings as many again, for a roll of many pods must not mute them. */
const BURST = 25;
const PER_SECOND = 1 / 300;
/** An API server that is gone must not fill the memory with what it missed. */
const PENDING = 200;
/** A process that was told to end does not wait longer for its last events. */
const LAST_MS = 500;

interface Series {
  name: string;
  count: number;
}

/** Of a series the 2nd, 4th, 8th, … is told: its count stays roughly true without a write each time. */
export function isTold(count: number): boolean {
  return (count & (count - 1)) === 0;
}

/** Records transitions of objects as Events. Fire and forget: what cannot be recorded is logged, never thrown. */
export class EventRecorder implements AsyncDisposable {
  readonly #client: ApiClient;
  readonly #log: Logger;
  readonly #instance: string;
  readonly #clock: Clock;
  readonly #series = new Map<string, Series>();
  readonly #buckets = new Map<string, TokenBucket>();
  readonly #pending = new Set<Promise<void>>();
  readonly #ended = new AbortController();

  constructor({ client, log, instance, clock }: EventRecorderOptions) {
    this.#client = client;
    this.#log = log;
    this.#instance = instance;
    this.#clock = clock ?? systemClock;
  }

  /** One event; the same one again counts up the first. */
  record(object: KubeObject, transition: Transition): void {
    const { uid } = object.metadata;
    const key = JSON.stringify([uid, transition.type, transition.reason, transition.action, transition.note]);
    const known = this.#series.get(key);
    this.#series.delete(key);
    const series = known ?? { name: `${object.metadata.name}.${randomUUID()}`, count: 0 };
    remember(this.#series, key, series);
    series.count += 1;
    if (!isTold(series.count) || this.#pending.size >= PENDING || !this.#bucket(uid, transition.type).take()) return;
    const sent = this.#send(object, transition, series).catch((error: unknown) => {
      this.#log.warn({ err: error, reason: transition.reason }, 'an event could not be recorded');
    });
    this.#pending.add(sent);
    void sent.finally(() => this.#pending.delete(sent));
  }

  /** Once all that was recorded until now is written, or could not be. */
  async settled(): Promise<void> {
    await Promise.all(this.#pending);
  }

  /** What is on its way gets a moment still. */
  async [Symbol.asyncDispose](): Promise<void> {
    using _late = this.#clock.after(LAST_MS, () => this.#ended.abort());
    await this.settled();
  }

  #bucket(uid: string, type: Transition['type']): TokenBucket {
    const key = `${type} ${uid}`;
    const bucket = this.#buckets.get(key) ?? new TokenBucket(this.#clock, PER_SECOND, BURST);
    this.#buckets.delete(key);
    remember(this.#buckets, key, bucket);
    return bucket;
  }

  async #send(object: KubeObject, transition: Transition, series: Series): Promise<void> {
    // Events of what has no namespace lie in `default`.
    const namespace = object.metadata.namespace ?? 'default';
    const { name, count } = series;
    const signal = this.#ended.signal;
    const now = microTime(new Date());
    if (count > 1) {
      try {
        const path = pathOf(resources.events, { namespace, name });
        const body = { series: { count, lastObservedTime: now } };
        await this.#client.request({
          method: 'PATCH',
          path,
          body,
          contentType: 'application/merge-patch+json',
          signal,
        });
        return;
      } catch (error) {
        // Events live for an hour, so the first one is made anew; or it never came to be.
        if (classify(error) !== 'NotFound') throw error;
      }
    }
    const { related, note, ...said } = transition;
    const body = {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name, namespace },
      eventTime: now,
      reportingController: CONTROLLER,
      reportingInstance: this.#instance,
      ...said,
      note: shortened(note),
      regarding: referenceTo(object),
      related: related === undefined ? undefined : referenceTo(related),
      series: count > 1 ? { count, lastObservedTime: now } : undefined,
    };
    await this.#client.request({ method: 'POST', path: pathOf(resources.events, { namespace }), body, signal });
  }
}

function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > REMEMBERED && oldest !== undefined) map.delete(oldest);
}

function referenceTo({ apiVersion, kind, metadata: { name, namespace, uid, resourceVersion } }: KubeObject): unknown {
  return { apiVersion, kind, name, namespace, uid, resourceVersion };
}

/** The note, cut where it is longer than the API server takes. */
export function shortened(note: string): string {
  const bytes = Buffer.from(note);
  if (bytes.length <= NOTE) return note;
  // `stream` leaves out a character that the cut went through.
  return `${new TextDecoder().decode(bytes.subarray(0, NOTE - 3), { stream: true })}…`;
}
