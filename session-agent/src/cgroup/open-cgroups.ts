import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { ReplPoolError } from '@replpool/protocol';
import { messageOf } from '@replpool/service';
import type { Logger } from 'pino';
import { parseOwnCgroups } from './cgroup-file.ts';
import { Cgroups, temporaryName } from './cgroups.ts';
import { askForCgroup } from './delegation.ts';
import { hierarchiesOf } from './hierarchies.ts';
import { parseCgroupMounts } from './mounts.ts';
import { withoutNamespace } from './namespace.ts';
import { type CgroupsMode, placesFor } from './place.ts';
import { type Delegate, prepare } from './prepare.ts';

/**
 * The cgroups that a pool demands, or the best there is where it demands none; probed, and empty.
 * @param delegation the folder in which the pod's delegate is asked
 * @throws ReplPoolError INVALID_REQUEST where what is demanded is not to be had
 */
export async function openCgroups(
  mode: CgroupsMode,
  delegation: string | undefined,
  log: Logger,
): Promise<Cgroups | undefined> {
  if (mode === 'None') return undefined;
  if (mode === 'Runtime')
    throw refused(mode, 'this release asks no container runtime for cgroups; Delegate, Privileged and None are there');
  const delegate = mode === 'Delegate' ? delegateIn(delegation) : undefined;
  const reasons: string[] = [];
  const unique = randomBytes(4).toString('hex');
  // Not there in a kernel without cgroups.
  const read = (file: string) => readFile(file, 'utf8').catch(() => '');
  const own = parseOwnCgroups(await read('/proc/self/cgroup'));
  const mounts = parseCgroupMounts(await read('/proc/self/mountinfo'));
  const seen = await withoutNamespace(own, mounts);
  const hierarchies = hierarchiesOf(seen.cgroups, seen.mounts);
  for (const place of placesFor(mode, hierarchies, temporaryName(process.pid, unique))) {
    try {
      const cgroups = new Cgroups(await prepare(place, unique, delegate), place.isTemporary);
      await cgroups.removeLeftovers();
      log.info({ version: cgroups.version, controllers: cgroups.controllers }, 'sessions have cgroups');
      return cgroups;
    } catch (error) {
      reasons.push(`${place.version}: ${messageOf(error)}`);
    }
  }
  const why = reasons.join('; ') || 'no mount shows our own cgroup';
  if (mode !== undefined) throw refused(mode, why);
  log.info({ why }, 'sessions have no cgroups');
  return undefined;
}

function delegateIn(directory: string | undefined): Delegate {
  if (directory === undefined) throw refused('Delegate', 'nobody beside it could give it cgroups');
  return (path) => askForCgroup(directory, path);
}

function refused(mode: string, why: string): ReplPoolError {
  return new ReplPoolError(
    'INVALID_REQUEST',
    `spec.isolation.cgroups: ${mode} is not available to this agent: ${why}`,
    {
      why: 'A limit that cannot be enforced is refused, never pretended.',
      how: 'Leave spec.isolation.cgroups out, which takes what there is and names what is missing, or set it to None.',
      details: { field: 'spec.isolation.cgroups' },
    },
  );
}
