import {
  type CreateSession,
  invalidRequest,
  type Limits,
  limitAbovePool,
  parseBytes,
  parseCores,
} from '@replpool/protocol';
import type { CgroupLimits } from '../cgroup/version.ts';
import { defined } from '../pool/template.ts';

/** Measured: a bare worker runs `1 + 1` in 3 MiB of its own, and in 2 not always. */
const LEAST_MEMORY_BYTES = 4 * 1024 * 1024;

/**
 * The limits of a new session: its template's, with what it asked for.
 * @throws ReplPoolError INVALID_REQUEST where it asks for more than the pool allows, for less than any worker needs, or for a default above its
 * own maximum
 */
export function sessionLimits(ofTemplate: Limits, { limits: asked = {} }: CreateSession, ofPool: Limits): Limits {
  const above = limitAbovePool(asked, ofPool);
  if (above !== undefined) throw invalidRequest(`limits.${above}`, 'more than the pool allows');
  if (asked.memory !== undefined && parseBytes(asked.memory) < LEAST_MEMORY_BYTES) {
    throw invalidRequest('limits.memory', `less than ${LEAST_MEMORY_BYTES} bytes, in which no worker runs`);
  }
  const limits = { ...ofTemplate, ...defined(asked) };
  const { executionSeconds, maxExecutionSeconds } = limits;
  if (executionSeconds <= maxExecutionSeconds) return limits;
  if (asked.executionSeconds !== undefined) {
    throw invalidRequest('limits.executionSeconds', `more than maxExecutionSeconds, which is ${maxExecutionSeconds}`);
  }
  return { ...limits, executionSeconds: maxExecutionSeconds };
}

/** Those of a session's limits that its cgroup holds. */
export function cgroupLimits({ memory, cpu, processes }: Limits): CgroupLimits {
  return { memoryBytes: parseBytes(memory), cores: parseCores(cpu), processes };
}
