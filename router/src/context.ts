import { ReplPoolError } from '@replpool/protocol';
import type { Logger } from 'pino';
import type { AgentDirectory } from './agent-directory.ts';
import type { Authenticator } from './auth/authenticator.ts';
import type { RouterMetrics } from './metrics.ts';

/** What every handler of one router shares. */
export interface RouterContext {
  readonly directory: AgentDirectory;
  readonly authenticator: Authenticator;
  readonly metrics: RouterMetrics;
  readonly log: Logger;
  /** What a request without a pool means; undefined: the only one that is open to the caller. */
  readonly defaultPool: () => string | undefined;
}

/** Until it is known which agents there are, no session can be said not to be there. */
export function notListed({ directory }: RouterContext): ReplPoolError | undefined {
  return directory.listed ? undefined : new ReplPoolError('WARMING', 'it is not known yet which agents there are');
}

interface Facts {
  /** Who asked. */
  readonly caller?: string;
  readonly session?: string;
  readonly code?: string;
  readonly method?: string;
  readonly path?: string;
}

interface Done extends Facts {
  readonly caller: string;
  /** Whose session it is; undefined where only its agent knows. */
  readonly owner: string | undefined;
  /** By its whole name. */
  readonly pool: string;
  readonly session: string;
  /** The session of which it is a live copy. */
  readonly forkedFrom?: string;
}

/** The audit line of section 10: who did what to which session of whom. */
export function audit(log: Logger, action: 'create' | 'delete', facts: Done): void {
  write(log, action, facts);
}

/** The line of a refusal, where it was for want of a right and of nothing else. */
export function auditDenied(log: Logger, { status, code }: ReplPoolError, facts: Facts): void {
  if (status === 401 || status === 403) write(log, 'denied', { ...facts, code });
}

function write(log: Logger, action: string, facts: Facts): void {
  log.info({ audit: true, action, ...facts }, `audit: ${action}`);
}
