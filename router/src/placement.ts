/** What placement needs to know of an agent. Counts are sessions; `pending` are creations this router has under way there. */
export interface Candidate {
  readonly pod: string;
  readonly pool: string;
  readonly up: boolean;
  readonly ready: boolean;
  readonly draining: boolean;
  readonly free: number;
  readonly warm: number;
  readonly pending: number;
  /** What its pod was made from, and when (RFC 3339); in a cluster. */
  readonly revision?: string | undefined;
  readonly createdAt?: string | undefined;
}

export interface Wish {
  /** The new session's id. */
  readonly id: string;
  readonly affinityKey?: string | undefined;
}

export type Refusal = 'WARMING' | 'DRAINING';

export type Placement<C extends Candidate> = { readonly candidates: readonly C[] } | { readonly refusal: Refusal };

/** A creation asks at most this many agents before it gives up. */
export const MAX_ATTEMPTS = 8;

/**
 * In which order the agents of one pool are asked for a new session.
 *
 * Power of two choices (Mitzenmacher 2001), with the two drawn by rendezvous hashing of the session's id instead of a
 * random number: as even as random ones for random ids, but two routers that get the same id look at the same two
 * agents. With an `affinityKey` the order is plain rendezvous hashing of the key. Pods of the newest revision come
 * first: the others are to be replaced, and a session there would have to end (docs/decisions/0018). Agents that look
 * full come last and are asked all the same: the agent has the last word on admission, what we know of it may be a
 * moment old.
 */
export function place<C extends Candidate>(agents: readonly C[], wish: Wish): Placement<C> {
  const open = agents.filter((agent) => agent.up && agent.ready && !agent.draining);
  if (open.length === 0) {
    const up = agents.filter((agent) => agent.up);
    return { refusal: up.length > 0 && up.every((agent) => agent.draining) ? 'DRAINING' : 'WARMING' };
  }
  const ordered = rendezvous(open, wish.affinityKey ?? wish.id);
  const newest = newestRevision(open);
  const roomy = ordered.filter((agent) => room(agent) > 0);
  const current = roomy.filter(({ revision }) => revision === newest);
  const old = roomy.filter(({ revision }) => revision !== newest);
  const full = ordered.filter((agent) => room(agent) <= 0);
  if (wish.affinityKey === undefined) for (const agents of [current, old]) betterFirst(agents);
  return { candidates: [...current, ...old, ...full].slice(0, MAX_ATTEMPTS) };
}

/** That of the youngest pod: an operator makes pods of the present revision alone. */
function newestRevision(agents: readonly Candidate[]): string | undefined {
  const age = ({ createdAt = '' }: Candidate): string => createdAt;
  return agents.reduce((youngest, each) => (age(each) > age(youngest) ? each : youngest)).revision;
}

function betterFirst(agents: Candidate[]): void {
  const [first, second] = agents;
  if (first !== undefined && second !== undefined && better(second, first)) agents.splice(0, 2, second, first);
}

const room = (agent: Candidate): number => agent.free - agent.pending;

/** A warm fork beats more room: a cold start costs more than an uneven pool. */
function better(a: Candidate, b: Candidate): boolean {
  const warmA = a.warm - a.pending > 0;
  const warmB = b.warm - b.pending > 0;
  if (warmA !== warmB) return warmA;
  return room(a) > room(b);
}

function rendezvous<C extends Candidate>(agents: readonly C[], key: string): C[] {
  return agents
    .map((agent) => ({ agent, score: hash(`${key}\0${agent.pod}`) }))
    .sort((a, b) => b.score - a.score || (a.agent.pod < b.agent.pod ? -1 : 1))
    .map(({ agent }) => agent);
}

/** FNV-1a with murmur3's finalizer, which spreads keys that differ in their last character only. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
