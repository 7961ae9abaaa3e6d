import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type CreateSession,
  createSessionSchema,
  invalidRequest,
  parse,
  ReplPoolError,
  runRequestSchema,
  sessionSchema,
} from '@replpool/protocol';
import { readJson } from '@replpool/service';
import type { Agent } from './agent.ts';
import { agentUnavailable, failureOf } from './agent-failure.ts';
import type { Caller } from './auth/caller.ts';
import { audit, type RouterContext } from './context.ts';
import { forward, type Outcome } from './forward.ts';
import { type Hop, requestHeaders } from './forward-headers.ts';
import { lookUp } from './locate.ts';
import { place } from './placement.ts';
import { type Held, sendHeld } from './send-held.ts';
import { agentsFor, choosePool } from './visible-pools.ts';

/** Answers by which an agent says that it did nothing, so that another may be asked. */
const REFUSALS = new Set([429, 503]);

/** Who is asked for a session. */
interface Asked {
  /** By its whole name, whatever the client called it. */
  readonly pool: string;
  readonly agents: readonly Agent[];
  /** Of the session that is there already. */
  readonly owner?: string | undefined;
}

/** Creations under way by id: the same id at the same time waits, and then finds its owner. */
export class Creations {
  readonly #context: RouterContext;
  readonly #underWay = new Map<string, Promise<void>>();

  constructor(context: RouterContext) {
    this.#context = context;
  }

  /** `POST /v1/sessions`. */
  async create(caller: Caller, req: IncomingMessage, res: ServerResponse): Promise<void> {
    const body = parse(createSessionSchema, await readJson(req));
    const id = body.id ?? randomUUID();
    // Again after each one: of several that waited for the same, the first to go on is what the others wait for.
    for (let before = this.#underWay.get(id); before !== undefined; before = this.#underWay.get(id)) await before;
    const done = this.#create(caller, { ...body, id }, body.id !== undefined, req, res);
    const settled = done.catch(() => undefined);
    this.#underWay.set(id, settled);
    try {
      await done;
    } finally {
      this.#underWay.delete(id);
    }
  }

  /** `POST /v1/run`: the agent makes the session and ends it. */
  async run(caller: Caller, req: IncomingMessage, res: ServerResponse): Promise<void> {
    const body = parse(runRequestSchema, await readJson(req));
    const session = randomUUID();
    const owner = caller.name;
    const { pool, agents } = await this.#candidates(caller, body.pool, { id: session });
    const bytes = Buffer.from(JSON.stringify({ ...body, pool }));
    const holds = (status: number) => REFUSALS.has(status);
    const outcome = await this.#ask(agents, { owner, session }, '/v1/run', bytes, req, res, holds);
    if (outcome.kind === 'held') send(res, outcome);
    // Where the answer broke off, its code may have run all the same.
    else if (outcome.kind === 'broken' || (outcome.kind === 'sent' && outcome.status === 200)) {
      audit(this.#context.log, 'create', { caller: owner, owner, pool, session });
    }
  }

  async #create(
    caller: Caller,
    body: CreateSession & { id: string },
    chosen: boolean,
    req: IncomingMessage,
    res: ServerResponse,
  ): Promise<void> {
    const { directory, log } = this.#context;
    const { id } = body;
    const known = chosen ? await this.#known(id, caller, body.pool) : undefined;
    const wish = { id, affinityKey: body.affinityKey };
    const { pool, agents } = known ?? (await this.#candidates(caller, body.pool, wish));
    // Who has a right to others' sessions and repeats an id gets the session that its owner has.
    const owner = known?.owner ?? caller.name;
    const bytes = Buffer.from(JSON.stringify({ ...body, pool }));
    const outcome = await this.#ask(agents, { owner }, '/v1/sessions', bytes, req, res, () => true);
    if (outcome.kind !== 'held') return;
    if (outcome.status === 201 || outcome.status === 200) {
      const { epoch } = parse(
        sessionSchema.pick({ epoch: true }).loose(),
        JSON.parse(outcome.body.toString()),
        'agent',
      );
      // One that was there before is where its agent's stream says.
      if (known === undefined) directory.created(outcome.agent, id, owner, epoch);
      if (outcome.status === 201) audit(log, 'create', { caller: caller.name, owner, pool, session: id });
    }
    send(res, outcome);
  }

  /** Where the id is already; throws where it is another's, lost, or may be where we cannot see. */
  async #known(id: string, caller: Caller, wanted: string | undefined): Promise<Asked | undefined> {
    const { directory, defaultPool } = this.#context;
    const found = await lookUp(directory, id, caller, 'get');
    if (found !== undefined && !(found instanceof ReplPoolError)) {
      const { pool } = found.agent;
      // Should the agent have it no more, it would make it anew.
      const allowed = await choosePool(caller, [{ pool, isHeard: true }], pool, 'create');
      if (allowed instanceof ReplPoolError) throw allowed;
      const meant = await choosePool(caller, directory.pools, wanted ?? defaultPool(), 'create');
      // An id that can be guessed may be claimed before its session is made; what is meant for one pool goes to no other on an agent's word.
      if (!found.isOurs && typeof meant === 'string' && meant !== pool) throw elsewhere(pool);
      return { pool, agents: [found.agent], owner: found.owner };
    }
    // A deleted id may be used again; one whose state was lost must not come back empty in silence.
    if (found !== undefined && found.code !== 'SESSION_NOT_FOUND') throw found;
    const unheard = directory.agents.filter((agent) => !agent.up && !agent.gone && directory.mayHaveSessions(agent));
    const [silent] = directory.heardOnce ? await agentsFor(caller, unheard, 'create') : [];
    if (silent !== undefined) throw agentUnavailable(silent.pod);
    return undefined;
  }

  async #candidates(
    caller: Caller,
    wanted: string | undefined,
    wish: { id: string; affinityKey?: string | undefined },
  ): Promise<Asked> {
    const { directory, defaultPool } = this.#context;
    const { agents, pools } = directory;
    const pool = await choosePool(caller, pools, wanted ?? defaultPool(), 'create');
    if (pool instanceof ReplPoolError) throw pool;
    const placement = place(
      agents.filter((agent) => agent.pool === pool),
      wish,
    );
    if ('candidates' in placement) return { pool, agents: placement.candidates };
    throw new ReplPoolError(placement.refusal, `no agent of the pool ${pool} takes sessions now`);
  }

  /** Asks one after the other until one does not refuse. A request that an agent may have begun goes to no other. */
  async #ask(
    agents: readonly Agent[],
    hop: Pick<Hop, 'owner' | 'session'>,
    path: string,
    body: Buffer,
    req: IncomingMessage,
    res: ServerResponse,
    holds: (status: number) => boolean,
  ): Promise<Outcome & { agent: Agent }> {
    let refused: Held | undefined;
    let last: ReplPoolError | undefined;
    for (const agent of agents) {
      agent.pending += 1;
      const outcome = await this.#once(agent, hop, path, body, req, res, holds).finally(() => {
        agent.pending -= 1;
      });
      if (outcome.kind === 'failed') {
        last = await failureOf(agent, outcome, undefined);
        if (!outcome.unsent) throw last;
        continue;
      }
      if (outcome.kind !== 'held' || !REFUSALS.has(outcome.status)) return { ...outcome, agent };
      // "Full" says more than "draining" or "warming" of another.
      if (refused === undefined || outcome.status === 429) refused = outcome;
    }
    const agent = agents.at(-1);
    if (refused !== undefined && agent !== undefined) return { ...refused, agent };
    throw last ?? new ReplPoolError('WARMING', 'no agent takes sessions now');
  }

  #once(
    agent: Agent,
    hop: Pick<Hop, 'owner' | 'session'>,
    path: string,
    body: Buffer,
    req: IncomingMessage,
    res: ServerResponse,
    holds: (status: number) => boolean,
  ): Promise<Outcome> {
    const ofBody = /^content-(length|type)$/i;
    const raw = req.rawHeaders.filter((_, i) => !ofBody.test(req.rawHeaders[i - (i % 2)] ?? ''));
    const { token } = agent.endpoint;
    const headers = requestHeaders([...raw, 'content-type', 'application/json'], { ...hop, token });
    return forward(agent, { method: 'POST', path, headers, body, headersTimeoutMs: 0, holds }, res);
  }
}

const elsewhere = (pool: string): ReplPoolError =>
  invalidRequest('pool', `a session of this id is said to be in the pool ${pool}`);

function send(res: ServerResponse, outcome: Held): void {
  const { status, headers } = outcome;
  sendHeld(res, outcome, REFUSALS.has(status) && !headers.includes('retry-after') ? ['retry-after', '1'] : []);
}
