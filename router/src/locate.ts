import { problemSchema, ReplPoolError } from '@replpool/protocol';
import type { Agent } from './agent.ts';
import type { AgentDirectory } from './agent-directory.ts';
import { agentUnavailable, sessionLost } from './agent-failure.ts';
import { type Asked, askAgent } from './ask-agent.ts';
import { type Caller, ownerRefusal, ownerToAskFor } from './authenticate.ts';

const ASK_TIMEOUT_MS = 1_000;

export interface Found {
  readonly agent: Agent;
  /** For whom the agent is asked: an admin acts for the session's owner, as far as we know them. */
  readonly owner: string | undefined;
  readonly epoch?: number | undefined;
}

const notFound = (id: string): ReplPoolError => new ReplPoolError('SESSION_NOT_FOUND', `there is no session ${id}`);

/** Where the session is, or why the caller cannot have it. */
export async function locate(directory: AgentDirectory, id: string, caller: Caller): Promise<Found | ReplPoolError> {
  return lookUp(directory, id, caller) ?? (await search(directory, id, caller));
}

/** What the directory knows by itself; undefined: the agents must be asked. */
export function lookUp(directory: AgentDirectory, id: string, caller: Caller): Found | ReplPoolError | undefined {
  const session = directory.session(id);
  if (session !== undefined) {
    const { agent, owner } = session;
    return ownerRefusal(caller, owner) ?? (agent.up ? session : agentUnavailable(agent.pod));
  }
  const stone = directory.tombstone(id);
  if (stone === undefined) return undefined;
  const refused = ownerRefusal(caller, stone.owner);
  if (refused !== undefined) return refused;
  return stone.reason === 'deleted' ? notFound(id) : sessionLost(id, stone.reason);
}

/** Asks all agents for a session that no stream has told of; as long as one has not answered, it may be there. */
async function search(directory: AgentDirectory, id: string, caller: Caller): Promise<Found | ReplPoolError> {
  const { agents } = directory;
  const up = agents.filter((agent) => agent.up);
  const answers = await Promise.allSettled(
    up.map(async (agent) => ({
      agent,
      asked: await askAgent(agent, `/v1/sessions/${id}`, ownerToAskFor(caller), ASK_TIMEOUT_MS),
    })),
  );
  const heard = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
  return lookUp(directory, id, caller) ?? verdict(id, caller, heard) ?? missing(agents, heard) ?? notFound(id);
}

function verdict(
  id: string,
  caller: Caller,
  heard: readonly { agent: Agent; asked: Asked }[],
): Found | ReplPoolError | undefined {
  const here = heard.find(({ asked }) => asked.status === 200);
  if (here !== undefined) return { agent: here.agent, owner: ownerToAskFor(caller) };
  for (const { asked } of heard) {
    if (asked.status === 403) return new ReplPoolError('FORBIDDEN', 'the session belongs to another owner');
    if (asked.status === 410) {
      const problem = problemSchema.safeParse(asked.body);
      return problem.success ? ReplPoolError.fromProblem(problem.data) : sessionLost(id, 'node');
    }
  }
  return undefined;
}

function missing(
  agents: readonly Agent[],
  heard: readonly { agent: Agent; asked: Asked }[],
): ReplPoolError | undefined {
  const answered = new Set(heard.filter(({ asked }) => asked.status === 404).map(({ agent }) => agent));
  const silent = agents.find((agent) => !answered.has(agent));
  return silent === undefined ? undefined : agentUnavailable(silent.pod);
}
