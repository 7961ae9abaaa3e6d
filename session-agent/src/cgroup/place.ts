import { join } from 'node:path';
import type { ReplPoolSpec } from '@replpool/protocol';
import type { Folders } from './cgroup.ts';
import type { Hierarchy } from './hierarchies.ts';
import type { Controller } from './version.ts';

/** How a pool says that its cgroups are had; absent is whatever can be had. */
export type CgroupsMode = ReplPoolSpec['isolation']['cgroups'];

/** Where the cgroups of the sessions might be: below our own, so that they stay under every limit that we are under. */
export interface Place {
  readonly version: 'v1' | 'v2';
  /** Our own cgroup by controller in v1; in v2 the one folder stands for all. */
  readonly own: Folders;
  /** The folder below it that has the workers' cgroups. */
  readonly sessions: Folders;
  /** Whether it goes with the agent, or is this container's, whose only agent we are. */
  readonly isTemporary: boolean;
  /** Our own cgroup as a delegate of the pod knows it. */
  readonly path: string;
}

export const SESSIONS = 'sessions';
const V1_CONTROLLERS: readonly Controller[] = ['memory', 'cpu', 'pids', 'cpuacct'];
const V2_CONTROLLERS: readonly Controller[] = ['memory', 'cpu', 'pids'];

/**
 * Where to look, best first.
 *
 * - Delegate, Privileged: `sessions` below the cgroup of the container, which was given to us, or which we may write as root.
 * - absent: a folder of this process' own below its own cgroup, beside those of others.
 */
export function placesFor(mode: CgroupsMode, hierarchies: readonly Hierarchy[], unique: string): readonly Place[] {
  if (mode === 'None' || mode === 'Runtime') return [];
  const isTemporary = mode === undefined;
  const placeOf = (version: 'v1' | 'v2', path: string, own: Folders): Place => {
    const name = isTemporary ? unique : SESSIONS;
    const sessions = new Map([...own].map(([controller, folder]) => [controller, join(folder, name)]));
    return { version, own, sessions, isTemporary, path };
  };
  const places: Place[] = [];
  for (const { version, own, path } of hierarchies) {
    // Which of them it has, the folder tells.
    if (version === 'v2' && own !== undefined)
      places.push(placeOf('v2', path, new Map(V2_CONTROLLERS.map((controller) => [controller, own]))));
  }
  const own = new Map<Controller, string>();
  let path = '';
  for (const controller of V1_CONTROLLERS) {
    const hierarchy = hierarchies.find(({ controllers }) => controllers.includes(controller));
    if (hierarchy?.own === undefined) continue;
    own.set(controller, hierarchy.own);
    // The kubelet has one name for a container in all hierarchies.
    path ||= hierarchy.path;
  }
  if (own.size > 0) places.push(placeOf('v1', path, own));
  return places;
}
