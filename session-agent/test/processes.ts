import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { eventually } from './eventually.ts';

/** A process of this machine as /proc tells of it. */
export interface ProcessSeen {
  readonly pid: number;
  readonly name: string;
  /** `Z` is a zombie. */
  readonly state: string;
  readonly parent: number;
  /** In clock ticks since the boot: a pid that was given out again has another. */
  readonly startedAt: string;
}

/** Undefined where there is none of that pid. */
export function processOf(pid: number): ProcessSeen | undefined {
  try {
    const [, name = '', rest = ''] = /^\d+ \((.*)\) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
    const fields = rest.split(' ');
    return { pid, name, state: fields[0] ?? '', parent: Number(fields[1]), startedAt: fields[19] ?? '' };
  } catch {
    return undefined;
  }
}

export function isAlive({ pid, startedAt }: ProcessSeen): boolean {
  return processOf(pid)?.startedAt === startedAt;
}

/** Its children, theirs, and so on. */
export function descendantsOf(pid: number): ProcessSeen[] {
  const all = readdirSync('/proc').flatMap((entry) => (/^\d+$/.test(entry) ? (processOf(Number(entry)) ?? []) : []));
  const found: ProcessSeen[] = [];
  for (let parents = [pid]; parents.length > 0; ) {
    const children = all.filter(({ parent }) => parents.includes(parent));
    found.push(...children);
    parents = children.map((child) => child.pid);
  }
  return found;
}

/** The launcher of an agent, below which all of its zygotes and workers are, orphans too. @param agent the pid of the agent's process */
export function launcherOf(agent: number): number {
  const found = descendantsOf(agent).filter(({ name }) => name === 'replpool-launch');
  if (found.length !== 1) throw new Error(`the agent has ${found.length} launchers`);
  return found[0]?.pid ?? 0;
}

/** What runs sessions' code below an agent, or has run it: workers, twins, branches, and what they started. */
export function workersOf(agent: number): ProcessSeen[] {
  return descendantsOf(launcherOf(agent)).filter(({ name }) => name !== 'replpool-zygote');
}

/** Resolves when so many workers are left of an agent, and none of those that are to be `gone`. @throws AssertionError that names the others */
export async function workersLeft(agent: number, count: number, gone: readonly ProcessSeen[] = []): Promise<void> {
  const isSo = () => workersOf(agent).length === count && !gone.some(isAlive);
  await eventually('few workers are left', isSo).catch(() => {
    const left = [...workersOf(agent), ...gone.filter(isAlive)];
    assert.fail(`${left.length} in place of ${count} are left: ${left.map((each) => JSON.stringify(each)).join()}`);
  });
}

/** SIGKILL, where it is still there. */
export function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
