import type { Logger } from 'pino';
import type { AgentDirectory } from './agent-directory.ts';
import type { Authenticate } from './authenticate.ts';
import type { RouterMetrics } from './metrics.ts';

/** What every handler of one router shares. */
export interface RouterContext {
  readonly directory: AgentDirectory;
  readonly authenticate: Authenticate;
  readonly metrics: RouterMetrics;
  readonly log: Logger;
}

/** The audit line of section 10: who did what to which session. */
export function audit(
  log: Logger,
  action: 'create' | 'delete' | 'denied',
  facts: { owner?: string | undefined; session?: string | undefined; code?: string; method?: string; path?: string },
): void {
  log.info({ audit: true, action, ...facts }, `audit: ${action}`);
}
