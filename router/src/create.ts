import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type CreateSession,
  createSessionSchema,
  parse,
  ReplPoolError,
  runRequestSchema,
  sessionSchema,
} from '@replpool/protocol';
import type { Agent } from './agent.ts';
import { agentUnavailable, failureOf } from './agent-failure.ts';
import { type Caller, ownerRefusal } from './authenticate.ts';
import { audit, type RouterContext } from './context.ts';
import { forward, type Outcome } from './forward.ts';
import { requestHeaders } from './forward-headers.ts';
import { lookUp } from './locate.ts';
import { place, resolvePool } from './placement.ts';
import { readJson } from './read-json.ts';

/** Answers by which an agent says that it did nothing, so that another may be asked. */
const REFUSALS = new Set([429, 503]);

/** Creations under way by id: the same id at the same time waits, and then finds its owner. */
export class Creations {
  readonly #context: RouterContext;
  readonly #underWay = new Map<string, Promise<void>>();

  constructor(context: RouterContext) {
    this.#context = context;
  }

  /** `POST /v1/sessions`. */
  async create(caller: Caller, req: IncomingMessage, res: ServerResponse): Promise<void> {
    const body = parse(createSessionSchema, (await readJson(req)).value);
    const id = body.id ?? randomUUID();
    const before = this.#underWay.get(id);
    if (before !== undefined) await before;
    const done = this.#create(caller, { ...body, id }, body.id !== undefined, req, res);
    const settled = done.catch(() => undefined);
    this.#underWay.set(id, settled);
    try {
      await done;
    } finally {
      if (this.#underWay.get(id) === settled) this.#underWay.delete(id);
    }
  }

  /** `POST /v1/run`: the agent makes the session and ends it. */
  async run(caller: Caller, req: IncomingMessage, res: ServerResponse): Promise<void> {
    const { value, bytes } = await readJson(req);
    const { pool } = parse(runRequestSchema, value);
    const agents = this.#candidates(pool, { id: randomUUID() });
    const outcome = await this.#ask(agents, caller, '/v1/run', bytes, req, res, (status) => REFUSALS.has(status));
    if (outcome.kind === 'held') send(res, outcome);
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
    const agents = chosen ? this.#knownOwner(id, caller) : undefined;
    const asked = agents ?? this.#candidates(body.pool, { id, affinityKey: body.affinityKey });
    const bytes = Buffer.from(JSON.stringify(body));
    const outcome = await this.#ask(asked, caller, '/v1/sessions', bytes, req, res, () => true);
    if (outcome.kind !== 'held') return;
    if (outcome.status === 201 || outcome.status === 200) {
      const { epoch } = parse(
        sessionSchema.pick({ epoch: true }).loose(),
        JSON.parse(outcome.body.toString()),
        'agent',
      );
      const owner = directory.session(id)?.owner ?? caller.name;
      directory.created(outcome.agent, id, owner, epoch);
      if (outcome.status === 201) audit(log, 'create', { owner, session: id });
    }
    send(res, outcome);
  }

  /** The agent that has the id already; throws where the id is another's, lost, or may be where we cannot see. */
  #knownOwner(id: string, caller: Caller): Agent[] | undefined {
    const { directory } = this.#context;
    const known = directory.session(id);
    if (known !== undefined) {
      const refused = ownerRefusal(caller, known.owner);
      if (refused !== undefined) throw refused;
      return [known.agent];
    }
    const gone = lookUp(directory, id, caller);
    // A deleted id may be used again; one whose state was lost must not come back empty in silence.
    if (gone instanceof ReplPoolError && gone.code !== 'SESSION_NOT_FOUND') throw gone;
    const unheard = directory.agents.find((agent) => !agent.heard);
    if (unheard !== undefined && directory.heardOnce) throw agentUnavailable(unheard.pod);
    return undefined;
  }

  #candidates(pool: string | undefined, wish: { id: string; affinityKey?: string | undefined }): readonly Agent[] {
    const { agents } = this.#context.directory;
    const name = resolvePool(
      agents.map((agent) => agent.pool),
      pool,
    );
    if (name === undefined) {
      // Without a wish and without an agent the default pool is only not there yet.
      if (pool === undefined) throw new ReplPoolError('WARMING', 'no agent is listed yet');
      throw new ReplPoolError('POOL_NOT_FOUND', `there is no pool ${pool}`);
    }
    const placement = place(
      agents.filter((agent) => agent.pool === name),
      wish,
    );
    if ('candidates' in placement) return placement.candidates;
    throw new ReplPoolError(placement.refusal, `no agent of the pool ${name} takes sessions now`);
  }

  /** Asks one after the other until one does not refuse. A request that an agent may have begun goes to no other. */
  async #ask(
    agents: readonly Agent[],
    caller: Caller,
    path: string,
    body: Buffer,
    req: IncomingMessage,
    res: ServerResponse,
    holds: (status: number) => boolean,
  ): Promise<Outcome & { agent: Agent }> {
    let refused: Extract<Outcome, { kind: 'held' }> | undefined;
    let last: ReplPoolError | undefined;
    for (const agent of agents) {
      agent.pending += 1;
      const outcome = await this.#once(agent, caller, path, body, req, res, holds).finally(() => {
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
    caller: Caller,
    path: string,
    body: Buffer,
    req: IncomingMessage,
    res: ServerResponse,
    holds: (status: number) => boolean,
  ): Promise<Outcome> {
    const raw = req.rawHeaders.filter((_, i) => req.rawHeaders[i - (i % 2)]?.toLowerCase() !== 'content-length');
    const headers = requestHeaders(raw, { token: agent.endpoint.token, owner: caller.name });
    return forward(agent, { method: 'POST', path, headers, body, headersTimeoutMs: 0, holds }, res);
  }
}

function send(res: ServerResponse, { status, headers, body }: Extract<Outcome, { kind: 'held' }>): void {
  const framed = headers.filter((_, i) => headers[i - (i % 2)] !== 'content-length');
  const wait = REFUSALS.has(status) && !framed.includes('retry-after') ? ['retry-after', '1'] : [];
  res.writeHead(status, [...framed, ...wait, 'content-length', String(body.length)]);
  res.end(body);
}
