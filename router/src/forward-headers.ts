import { EPOCH_HEADER, encodeOwner, OWNER_HEADER, SESSION_HEADER } from '@replpool/protocol';

// RFC 9110 section 7.6.1; `expect` is answered by the hop that reads the body, which is this one.
const HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
]);

export interface Hop {
  /** The agent's token; undefined where our certificate says who we are. */
  readonly token: string | undefined;
  /** For whom the agent is asked; undefined: it does not look at owners, as for an admin. */
  readonly owner: string | undefined;
  readonly epoch?: number | undefined;
  /** The id for a session that is made where the request's body cannot name it. */
  readonly session?: string | undefined;
}

/**
 * A client's headers (flat, as `rawHeaders`) as they go to the agent. The client's credentials and forwarded headers
 * end here (no proxy in front is known yet), and `replpool-…` is said by the router only.
 */
export function requestHeaders(raw: readonly string[], hop: Hop): string[] {
  const named = namedByConnection(raw);
  const out: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = (raw[i] ?? '').toLowerCase();
    if (HOP.has(name) || named?.has(name) || isOurs(name)) continue;
    out.push(name, raw[i + 1] ?? '');
  }
  out.push(...ownHeaders(hop));
  return out;
}

/** What only the router says to an agent. */
export function ownHeaders({ token, owner, epoch, session }: Hop): string[] {
  const out = token === undefined ? [] : ['authorization', `Bearer ${token}`];
  if (owner !== undefined) out.push(OWNER_HEADER, encodeOwner(owner));
  if (epoch !== undefined) out.push(EPOCH_HEADER, String(epoch));
  if (session !== undefined) out.push(SESSION_HEADER, session);
  return out;
}

/** An agent's headers as they go to the client. */
export function responseHeaders(headers: Readonly<Record<string, string | string[] | undefined>>): string[] {
  const out: string[] = [];
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined || HOP.has(name)) continue;
    if (typeof value === 'string') out.push(name, value);
    else for (const one of value) out.push(name, one);
  }
  return out;
}

function isOurs(name: string): boolean {
  switch (name) {
    case 'host':
    case 'authorization':
    case 'forwarded':
      return true;
    default:
      return name.startsWith('replpool-') || name.startsWith('x-forwarded-');
  }
}

function namedByConnection(raw: readonly string[]): Set<string> | undefined {
  let named: Set<string> | undefined;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    if ((raw[i] ?? '').toLowerCase() !== 'connection') continue;
    for (const token of (raw[i + 1] ?? '').split(',')) {
      const name = token.trim().toLowerCase();
      // content-length frames the message; a client may not have it dropped (request smuggling).
      if (name === '' || name === 'close' || name === 'keep-alive' || name === 'content-length') continue;
      named ??= new Set();
      named.add(name);
    }
  }
  return named;
}
