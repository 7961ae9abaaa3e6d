import {
  MAX_SESSIONS_PER_POD,
  parse,
  type Session,
  type SessionList,
  sessionListQuerySchema,
  sessionListSchema,
} from '@replpool/protocol';
import { isPool, pageOf } from '@replpool/service';
import type { Agent } from './agent.ts';
import type { AgentDirectory } from './agent-directory.ts';
import { agentUnavailable } from './agent-failure.ts';
import { askAgent } from './ask-agent.ts';
import type { Caller } from './auth/caller.ts';
import { agentsFor } from './visible-pools.ts';

const TIMEOUT_MS = 5_000;
/** That the longest labels and names fit into what is read of an answer. */
const PAGE = 500;
/** One more, for sessions that come meanwhile. */
const MAX_PAGES = MAX_SESSIONS_PER_POD / PAGE + 1;

/** A query string as an object; a name that comes twice has a list. */
function queryOf(url: string): Record<string, string | string[]> {
  const search = new URLSearchParams(url.includes('?') ? url.slice(url.indexOf('?')) : '');
  const query: Record<string, string | string[]> = Object.create(null);
  for (const name of new Set(search.keys())) {
    const values = search.getAll(name);
    query[name] = values.length === 1 ? (values[0] ?? '') : values;
  }
  return query;
}

/**
 * `GET /v1/sessions`: all agents are asked for what the caller may see, the page is cut here. As long as one that may
 * have some does not answer it is AGENT_UNAVAILABLE: a list that leaves sessions out in silence is worse than none.
 */
export async function listSessions(directory: AgentDirectory, caller: Caller, url: string): Promise<SessionList> {
  const query = parse(sessionListQuerySchema, { ...queryOf(url) }, 'query');
  const { pool } = query;
  const wanted = directory.agents.filter((agent) => pool === undefined || isPool(agent.pool, pool));
  const asked = await agentsFor(caller, wanted, 'list');
  const unheard = asked.find((agent) => !agent.up && directory.mayHaveSessions(agent));
  if (unheard !== undefined) throw agentUnavailable(unheard.pod);
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const heard = asked.filter((agent) => agent.up);
  const lists = await Promise.all(heard.map((agent) => visibleAt(agent, caller, signal)));
  return pageOf(lists.flat(), query);
}

async function visibleAt(agent: Agent, { name, rights }: Caller, signal: AbortSignal): Promise<Session[]> {
  return await sessionsAt(agent, (await rights.may('list', agent.pool)) ? undefined : name, signal);
}

/**
 * @param owner whose; undefined: everybody's
 * @param signal ends the wait for all pages
 */
async function sessionsAt(agent: Agent, owner: string | undefined, signal: AbortSignal): Promise<Session[]> {
  const sessions: Session[] = [];
  let next: string | undefined;
  for (let page = 0; page < MAX_PAGES; page++) {
    const path = `/v1/sessions?limit=${PAGE}${next === undefined ? '' : `&continue=${encodeURIComponent(next)}`}`;
    try {
      const { status, body } = await askAgent(agent, path, owner, signal);
      if (status !== 200) throw new Error(`the agent answered ${status} to the list`);
      const list = parse(sessionListSchema, body, `agent ${agent.pod}`);
      sessions.push(...list.items);
      next = list.continue;
    } catch (cause) {
      throw agentUnavailable(agent.pod, cause);
    }
    if (next === undefined) return sessions;
  }
  throw agentUnavailable(agent.pod, new Error('its list does not end'));
}
