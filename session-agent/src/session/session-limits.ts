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

/**
 * The limits of a new session: its template's, with what it asked for.
 * @throws ReplPoolError INVALID_REQUEST where it asks for more than the pool allows, or for a default above its own maximum
 */
export function sessionLimits(ofTemplate: Limits, { limits: asked = {} }: CreateSession, ofPool: Limits): Limits {
  const above = limitAbovePool(asked, ofPool);
  if (above !== undefined) throw invalidRequest(`limits.${above}`, 'more than the pool allows');
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
