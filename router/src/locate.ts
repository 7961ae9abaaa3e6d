import { problemSchema, ReplPoolError } from '@replpool/protocol';
import type { Agent } from './agent.ts';
import type { AgentDirectory } from './agent-directory.ts';
import { agentUnavailable, sessionLost } from './agent-failure.ts';
import { type Asked, askAgent } from './ask-agent.ts';
import { refusalOf } from './auth/access.ts';
import type { Caller, Verb } from './auth/caller.ts';
import { type Awaitable, after } from './awaitable.ts';
import { agentsFor, concerns } from './visible-pools.ts';

const ASK_TIMEOUT_MS = 1_000;
/** For the word of an agent's stream to come after its answer. */
const TOLD_MS = 1_000;

export interface Found {
  readonly agent: Agent;
  /** For whom the agent is asked: who has a right to others' sessions acts for the owner, as far as we know them. */
  readonly owner: string | undefined;
  readonly epoch?: number | undefined;
  /** Whether it was made through this router. */
  readonly isOurs: boolean;
}

const notFound = (id: string): ReplPoolError => new ReplPoolError('SESSION_NOT_FOUND', `there is no session ${id}`);

const contested = (id: string): ReplPoolError =>
  new ReplPoolError('AGENT_UNAVAILABLE', `agents of two pools say that they have session ${id}`, {
    why: 'Only one of them can be right, so it is served by neither.',
    how: 'Make a new session; whoever runs the routers finds the two in their logs.',
  });

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
    // What an agent says is believed by who has to do with its pool; others would be sent to it by the id alone.
    const isBelieved = session.isOurs || concerns(caller, agent.pool, verb);
    return after(isBelieved, (believed) => {
      if (!believed) return undefined;
      const refused = refusalOf(caller, verb, { owner, pool: agent.pool });
      return after(refused, (refusal) => refusal ?? (agent.up ? session : agentUnavailable(agent.pod)));
    });
  }
  if (directory.isContested(id)) return contested(id);
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
  const signal = AbortSignal.timeout(ASK_TIMEOUT_MS);
  const answers = await Promise.allSettled(
    up.map(async (agent) => ({
      agent,
      asked: await askAgent(agent, `/v1/sessions/${id}`, caller.name, signal),
    })),
  );
  const heard = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
  // That it has the session it must say by its stream too, where others can contest it: an answer alone could be given to any id.
  if (heard.some(({ asked }) => !isDenial(asked))) await directory.told(id, TOLD_MS);
  const known = await lookUp(directory, id, caller, verb);
  const mayHave = agents.filter((agent) => directory.mayHaveSessions(agent));
  return known ?? missing(mayHave, heard) ?? lost(id, heard) ?? notFound(id);
}

interface Heard {
  readonly agent: Agent;
  readonly asked: Asked;
}

/** Whether the agent says that it does not have it. */
const isDenial = ({ status }: Asked): boolean => status === 404 || status === 410;

/** What an agent knows of the end of a session. */
function lost(id: string, heard: readonly Heard[]): ReplPoolError | undefined {
  const gone = heard.find(({ asked }) => asked.status === 410);
  if (gone === undefined) return undefined;
  const problem = problemSchema.safeParse(gone.asked.body);
  return problem.success ? ReplPoolError.fromProblem(problem.data) : sessionLost(id, 'node');
}

function missing(agents: readonly Agent[], heard: readonly Heard[]): ReplPoolError | undefined {
  const answered = new Set(heard.filter(({ asked }) => isDenial(asked)).map(({ agent }) => agent));
  const silent = agents.find((agent) => !answered.has(agent));
  return silent === undefined ? undefined : agentUnavailable(silent.pod);
}
