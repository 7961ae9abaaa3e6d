import {
  parse,
  type Session,
  type SessionListQuery,
  sessionListQuerySchema,
  sessionListSchema,
} from '@replpool/protocol';
import type { Agent } from './agent.ts';
import type { AgentDirectory } from './agent-directory.ts';
import { agentUnavailable } from './agent-failure.ts';
import { askAgent } from './ask-agent.ts';
import type { Caller } from './authenticate.ts';
import { pageOf } from './session-list.ts';

const TIMEOUT_MS = 5_000;
const PAGE = 1_000;

/** A query string as an object; a name that comes twice has a list. */
export function queryOf(url: string): Record<string, string | string[]> {
  const search = new URLSearchParams(url.includes('?') ? url.slice(url.indexOf('?')) : '');
  const query: Record<string, string | string[]> = Object.create(null);
  for (const name of new Set(search.keys())) {
    const values = search.getAll(name);
    query[name] = values.length === 1 ? (values[0] ?? '') : values;
  }
  return query;
}

/** `GET /v1/sessions`: all agents are asked for what the caller may see, the page is cut here. */
export async function listSessions(directory: AgentDirectory, caller: Caller, url: string): Promise<unknown> {
  const query = parse(sessionListQuerySchema, { ...queryOf(url) }, 'query');
  const asked = directory.agents
    .filter((agent) => agent.up && mayHave(agent, query))
    .flatMap((agent) => {
      const owners = caller.admin ? [...directory.ownersAt(agent)] : [caller.name];
      return owners.map((owner) => sessionsAt(agent, owner));
    });
  return pageOf((await Promise.all(asked)).flat(), query);
}

const mayHave = (agent: Agent, { pool }: SessionListQuery): boolean =>
  pool === undefined || agent.pool === pool || agent.pool.endsWith(`:${pool}`);

async function sessionsAt(agent: Agent, owner: string): Promise<Session[]> {
  const sessions: Session[] = [];
  let next: string | undefined;
  do {
    const path = `/v1/sessions?limit=${PAGE}${next === undefined ? '' : `&continue=${encodeURIComponent(next)}`}`;
    try {
      const { status, body } = await askAgent(agent, path, owner, TIMEOUT_MS);
      if (status !== 200) throw new Error(`the agent answered ${status} to the list`);
      const page = parse(sessionListSchema, body, `agent ${agent.pod}`);
      sessions.push(...page.items);
      next = page.continue;
    } catch (cause) {
      // A list that leaves sessions out in silence is worse than none.
      throw agentUnavailable(agent.pod, cause);
    }
  } while (next !== undefined);
  return sessions;
}
