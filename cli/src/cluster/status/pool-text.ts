import { age } from '../age.ts';
import { type SeenEvent, timeOf } from '../objects.ts';
import { properties, table } from '../table.ts';
import type { AgentPodView } from './pod-view.ts';
import type { PoolView } from './pool-view.ts';

/** One pool in depth. */
export interface PoolDetail {
  readonly pool: PoolView;
  readonly pods: readonly AgentPodView[];
  /** The latest, the last one last. */
  readonly events: readonly SeenEvent[];
}

export interface TableOptions {
  readonly namespaces: boolean;
  readonly wide: boolean;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

const shown = (value: string | number | undefined): string => (value === undefined ? '-' : String(value));

export function poolTable(pools: readonly PoolView[], { namespaces, wide, now }: TableOptions): string {
  const columns: [string, (pool: PoolView) => string][] = [
    ['NAME', ({ name }) => name],
    ['DESIRED', ({ desired }) => desired],
    ['READY', ({ ready }) => String(ready)],
    ['UPDATED', ({ updated }) => String(updated)],
    ['ACTIVE', ({ sessions }) => shown(sessions?.active)],
    ['IDLE', ({ sessions }) => shown(sessions?.idle)],
    ['CAPACITY', ({ sessions }) => shown(sessions?.capacity)],
    ['HIT-RATE', ({ hitRatio }) => shown(hitRatio)],
    ['AGE', ({ createdAt }) => age(createdAt, now)],
    ['STATUS', ({ issues }) => issues.join(', ') || 'Ready'],
  ];
  if (namespaces) columns.unshift(['NAMESPACE', ({ namespace }) => namespace]);
  if (wide) {
    columns.push(
      ['ISOLATION', ({ isolation }) => shown(isolation)],
      ['ACQUIRE-P95', ({ acquireP95Ms }) => (acquireP95Ms === undefined ? '-' : `${acquireP95Ms}ms`)],
    );
  }
  return table(
    columns.map(([name]) => name),
    pools.map((pool) => columns.map(([, cell]) => cell(pool))),
  );
}

export function poolText({ pool, pods, events }: PoolDetail, now: number): string {
  const { sessions } = pool;
  const parts = [
    properties([
      ['Name', pool.name],
      ['Namespace', pool.namespace],
      ['Status', pool.issues.join(', ') || 'Ready'],
      ['Pods', `${pool.desired} desired, ${pool.ready} ready, ${pool.updated} updated, ${pool.replicas} there`],
      ['Sessions', sessions ? `${sessions.active} active, ${sessions.idle} warm, room for ${sessions.capacity}` : '-'],
      ['Hit rate', shown(pool.hitRatio)],
      ['Acquire p95', pool.acquireP95Ms === undefined ? '-' : `${pool.acquireP95Ms} ms`],
      ['Isolation', shown(pool.isolation)],
      ['Paused', pool.paused ? 'yes' : 'no'],
      ['Age', age(pool.createdAt, now)],
    ]),
    section('Conditions', conditionTable(pool, now), pool.conditions.length),
    section('Pods', podTable(pods, now), pods.length),
    section('Events', eventTable(events, now), events.length),
  ];
  return parts.join('\n');
}

function section(title: string, text: string, count: number): string {
  return count === 0 ? `${title}: none\n` : `${title}:\n${text.replaceAll(/^/gm, '  ').trimEnd()}\n`;
}

function conditionTable({ conditions }: PoolView, now: number): string {
  return table(
    ['TYPE', 'STATUS', 'SINCE', 'REASON', 'MESSAGE'],
    conditions.map((it) => [it.type, it.status, age(it.lastTransitionTime, now), it.reason, it.message]),
  );
}

function podTable(pods: readonly AgentPodView[], now: number): string {
  return table(
    ['NAME', 'NODE', 'STATE', 'REVISION', 'DRAINS-UNTIL', 'SESSIONS', 'RESTARTS', 'AGE'],
    pods.map((pod) => [
      pod.name,
      shown(pod.node),
      pod.state,
      pod.current ? 'current' : `old (${pod.revision})`,
      shown(pod.drainsUntil),
      shown(pod.sessions),
      String(pod.restarts),
      age(pod.createdAt, now),
    ]),
  );
}

function eventTable(events: readonly SeenEvent[], now: number): string {
  return table(
    ['LAST', 'TYPE', 'REASON', 'OBJECT', 'MESSAGE'],
    events.map((event) => [
      age(timeOf(event), now),
      event.type,
      event.reason,
      `${event.regarding.kind.toLowerCase()}/${event.regarding.name}`,
      event.note.replaceAll(/\s+/g, ' '),
    ]),
  );
}
