import { problemSchema, ReplPoolError } from '@replpool/protocol';
import type { Agent } from './agent.ts';
import type { AgentDirectory } from './agent-directory.ts';
import { agentUnavailable, sessionLost } from './agent-failure.ts';
import { type Asked, askAgent } from './ask-agent.ts';
import { belongsToAnother, refusalOf } from './auth/access.ts';
import type { Caller, Verb } from './auth/caller.ts';
import { type Awaitable, after } from './awaitable.ts';
import { agentsFor } from './visible-pools.ts';

const ASK_TIMEOUT_MS = 1_000;

export interface Found {
  readonly agent: Agent;
  /** For whom the agent is asked: who has a right to others' sessions acts for the owner, as far as we know them. */
  readonly owner: string | undefined;
  readonly epoch?: number | undefined;
}

const notFound = (id: string): ReplPoolError => new ReplPoolError('SESSION_NOT_FOUND', `there is no session ${id}`);

/** Where the session is, or why the caller cannot do this to it. */
export async function locate(
  directory: AgentDirectory,
  id: string,
  caller: Caller,
  verb: Verb,
): Promise<Found | ReplPoolError> {
  const known = lookUp(directory, id, caller, verb);
  const found = known instanceof Promise ? await known : known;
  return found ?? (await search(directory, id, caller, verb));
}

/** What the directory knows by itself; undefined: the agents must be asked. */
export function lookUp(
  directory: AgentDirectory,
  id: string,
  caller: Caller,
  verb: Verb,
): Awaitable<Found | ReplPoolError | undefined> {
  const session = directory.session(id);
  if (session !== undefined) {
    const { agent, owner } = session;
    const refused = refusalOf(caller, verb, { owner, pool: agent.pool });
    return after(refused, (refusal) => refusal ?? (agent.up ? session : agentUnavailable(agent.pod)));
  }
  const stone = directory.tombstone(id);
  if (stone === undefined) return undefined;
  const end = stone.reason === 'deleted' ? notFound(id) : sessionLost(id, stone.reason);
  return stone.of === undefined ? end : after(refusalOf(caller, verb, stone.of), (refusal) => refusal ?? end);
}

/** Asks the agents for a session that no stream has told of; as long as one has not answered, it may be there. */
async function search(
  directory: AgentDirectory,
  id: string,
  caller: Caller,
  verb: Verb,
): Promise<Found | ReplPoolError> {
  const agents = await agentsFor(caller, directory.agents, verb);
  const up = agents.filter((agent) => agent.up);
  const answers = await Promise.allSettled(
    up.map(async (agent) => ({
      agent,
      asked: await askAgent(agent, `/v1/sessions/${id}`, caller.name, ASK_TIMEOUT_MS),
    })),
  );
  const heard = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
  const known = await lookUp(directory, id, caller, verb);
  return known ?? (await verdict(id, caller, verb, heard)) ?? missing(agents, heard) ?? notFound(id);
}

interface Heard {
  readonly agent: Agent;
  readonly asked: Asked;
}

async function verdict(
  id: string,
  { name, rights }: Caller,
  verb: Verb,
  heard: readonly Heard[],
): Promise<Found | ReplPoolError | undefined> {
  const own = heard.find(({ asked }) => asked.status === 200);
  if (own !== undefined) return { agent: own.agent, owner: name };
  for (const { agent, asked } of heard) {
    // It is there, and another's, whose name only the agent knows.
    if (asked.status === 403) {
      return (await rights.may(verb, agent.pool)) ? { agent, owner: undefined } : belongsToAnother(verb);
    }
    if (asked.status === 410) {
      const problem = problemSchema.safeParse(asked.body);
      return problem.success ? ReplPoolError.fromProblem(problem.data) : sessionLost(id, 'node');
    }
  }
  return undefined;
}

function missing(agents: readonly Agent[], heard: readonly Heard[]): ReplPoolError | undefined {
  const answered = new Set(heard.filter(({ asked }) => asked.status === 404).map(({ agent }) => agent));
  const silent = agents.find((agent) => !answered.has(agent));
  return silent === undefined ? undefined : agentUnavailable(silent.pod);
}
