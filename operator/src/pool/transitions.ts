import type { Transition } from '../events.ts';
import type { Condition } from './conditions.ts';

/** Conditions that are true of a pool in trouble. */
const TROUBLE: ReadonlySet<Condition['type']> = new Set([
  'Degraded',
  'CapacityLimited',
  'IsolationUnavailable',
  'PodsForbidden',
]);

/**
 * What is worth an event: that the pool is ready or not any more, that trouble began, that it is another, that it is over. What goes on, as
 * progress and counts, is not.
 */
export function transitionsOf(before: readonly Condition[], now: readonly Condition[]): Transition[] {
  return now.flatMap((condition) => {
    const { type, status, reason, message } = condition;
    const earlier = before.find((each) => each.type === type);
    const isTrue = status === 'True';
    const turned = (earlier?.status === 'True') !== isTrue;
    if (type === 'Ready' && turned && earlier !== undefined)
      return [transition(isTrue ? 'Normal' : 'Warning', condition)];
    if (!TROUBLE.has(type)) return [];
    if (isTrue && (turned || earlier?.reason !== reason)) return [transition('Warning', condition)];
    return turned ? [transition('Normal', { reason, message: `${type} no more: ${message}` })] : [];
  });
}

function transition(type: Transition['type'], { reason, message }: Pick<Condition, 'reason' | 'message'>): Transition {
  return { type, reason, action: 'ReconcilePool', note: message };
}
