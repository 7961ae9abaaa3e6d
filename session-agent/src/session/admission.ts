import { type ExecuteRequest, type Limits, ReplPoolError } from '@replpool/protocol';

/** What admission looks at besides the request. */
export interface SessionLoad {
  readonly session: string;
  readonly stateEpoch: number;
  readonly limits: Limits;
  readonly queued: number;
  readonly queueLength: number;
  /** How long the session's circuit breaker stays open; 0 where it is closed. */
  readonly circuitOpenMs: number;
}

/** Why a session does not take an execution now: EPOCH_CHANGED, INVALID_REQUEST, CIRCUIT_OPEN or QUEUE_FULL; undefined where it does. */
export function refusal(
  request: Pick<ExecuteRequest, 'stateEpoch' | 'timeoutSeconds'>,
  load: SessionLoad,
): ReplPoolError | undefined {
  const { session, stateEpoch, limits, queued, queueLength, circuitOpenMs } = load;
  const changed = epochChanged(request, stateEpoch);
  if (changed) return changed;
  if (request.timeoutSeconds !== undefined && request.timeoutSeconds > limits.maxExecutionSeconds) {
    return new ReplPoolError('INVALID_REQUEST', `timeoutSeconds is at most ${limits.maxExecutionSeconds} here`, {
      details: { field: 'timeoutSeconds' },
    });
  }
  if (circuitOpenMs > 0) {
    return new ReplPoolError('CIRCUIT_OPEN', `session ${session} died three times within a minute`, {
      how: `Try again in ${Math.ceil(circuitOpenMs / 1000)} s, or restart the session.`,
      retryAfterSeconds: Math.ceil(circuitOpenMs / 1000),
    });
  }
  if (queued >= queueLength) return new ReplPoolError('QUEUE_FULL', `${queueLength} executions are queued already`);
  return undefined;
}

/** Why code that names the state for which it is meant does not run: that is gone. */
export function epochChanged(
  request: Pick<ExecuteRequest, 'stateEpoch'>,
  stateEpoch: number,
): ReplPoolError | undefined {
  if (request.stateEpoch === undefined || request.stateEpoch === stateEpoch) return undefined;
  return new ReplPoolError('EPOCH_CHANGED', `the session is at state epoch ${stateEpoch}, not ${request.stateEpoch}`, {
    details: { stateEpoch },
  });
}
