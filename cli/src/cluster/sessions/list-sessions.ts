import { setTimeout as sleep } from 'node:timers/promises';
import { type Session, sessionListSchema } from '@replpool/protocol';
import { answerFailure } from '../../client/problem.ts';
import { serviceFailed } from '../../failure.ts';

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Reads a path of the service. @throws CommandFailure where it does not answer */
export type Get = (path: string) => Promise<Answer>;

const PAGE = 1_000;
const ATTEMPTS = 10;
const RETRY_MS = 1_000;

/** Every session that the caller may see, page by page. @param pool a name, or `namespace:name` @throws CommandFailure */
export async function listSessions(get: Get, pool: string | undefined): Promise<Session[]> {
  const sessions: Session[] = [];
  let next: string | undefined;
  do {
    const query = new URLSearchParams({ limit: String(PAGE) });
    if (pool !== undefined) query.set('pool', pool);
    if (next !== undefined) query.set('continue', next);
    const page = sessionListSchema.safeParse(await read(get, `v1/sessions?${query}`));
    if (!page.success) throw serviceFailed('the service answered with something that is no list of sessions');
    sessions.push(...page.data.items);
    next = page.data.continue;
  } while (next !== undefined);
  return sessions;
}

/** A router rather lists nothing than leave out an agent that is silent for a moment, and says 503. */
async function read(get: Get, path: string): Promise<unknown> {
  for (let attempt = 1; ; attempt += 1) {
    const { status, body } = await get(path);
    if (status === 200) return JSON.parse(body) as unknown;
    if (status !== 503 || attempt === ATTEMPTS) throw answerFailure(status, body);
    await sleep(RETRY_MS);
  }
}
