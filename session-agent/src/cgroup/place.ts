import { join } from 'node:path';
import type { ReplPoolSpec } from '@replpool/protocol';
import type { Hierarchy } from './hierarchies.ts';
import type { Controller } from './version.ts';

/** How a pool says that its cgroups are had; absent is whatever can be had. */
export type CgroupsMode = ReplPoolSpec['isolation']['cgroups'];

/** Where the cgroups of the sessions might be. */
export interface Place {
  readonly version: 'v1' | 'v2';
  /** By controller in v1; in v2 the one folder stands for all. */
  readonly folders: ReadonlyMap<Controller, string>;
  /** Whether we make the folder, or somebody made it for us. */
  readonly isOurs: boolean;
  /** Whether it goes with the agent, or stays for the next one in this pod. */
  readonly isTemporary: boolean;
}

export const SESSIONS = 'sessions';
const CONTROLLERS: readonly Controller[] = ['memory', 'cpu', 'pids', 'cpuacct'];

/**
 * Where to look, best first.
 *
 * - Delegate: `sessions` beside our own cgroup, which an init container made and gave to us (the pod's cgroup is the parent of both).
 * - Privileged: the same folder, made by ourselves.
 * - absent: a folder of this process' own below its own cgroup, so that we stay under every limit that we are under, and meet nobody.
 */
export function placesFor(mode: CgroupsMode, hierarchies: readonly Hierarchy[], unique: string): readonly Place[] {
  if (mode === 'None' || mode === 'Runtime') return [];
  const isTemporary = mode === undefined;
  const at = ({ own, parent }: Hierarchy): string | undefined => {
    if (isTemporary) return own === undefined ? undefined : join(own, unique);
    return parent === undefined ? undefined : join(parent, SESSIONS);
  };
  const kind = { isOurs: mode !== 'Delegate', isTemporary };
  const places: Place[] = [];
  for (const hierarchy of hierarchies.filter(({ version }) => version === 'v2')) {
    const folder = at(hierarchy);
    // Which of them it has, the folder tells.
    const folders = new Map(V2_CONTROLLERS.map((controller) => [controller, folder ?? ''] as const));
    if (folder !== undefined) places.push({ version: 'v2', folders, ...kind });
  }
  const folders = new Map<Controller, string>();
  for (const controller of CONTROLLERS) {
    const hierarchy = hierarchies.find(({ controllers }) => controllers.includes(controller));
    const folder = hierarchy === undefined ? undefined : at(hierarchy);
    if (folder !== undefined) folders.set(controller, folder);
  }
  if (folders.size > 0) places.push({ version: 'v1', folders, ...kind });
  return places;
}

const V2_CONTROLLERS: readonly Controller[] = ['memory', 'cpu', 'pids'];
