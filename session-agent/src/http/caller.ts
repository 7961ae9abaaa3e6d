import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Server } from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { OPERATOR_TLS_NAME, ReplPoolError, ROUTER_TLS_NAME } from '@replpool/protocol';

/** Whether a request comes from a router or operator of ours. */
export type IsAuthorized = (request: IncomingMessage) => boolean;

/** @throws ReplPoolError UNAUTHENTICATED */
export function checkCaller(isAuthorized: IsAuthorized, request: IncomingMessage): void {
  if (isAuthorized(request)) return;
  throw new ReplPoolError(
    'UNAUTHENTICATED',
    "the request carries neither this agent's token nor a router's certificate",
  );
}

/** Who carries the token that only our router knows. Compares in constant time, with the expected digest made once. */
export function byToken(token: string): IsAuthorized {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  const expected = digest(`Bearer ${token}`);
  return (request) => timingSafeEqual(digest(request.headers.authorization ?? ''), expected);
}

/**
 * Who showed the certificate of a router or operator. That it is of our authority, for clients and not expired was checked before, in the
 * handshake; agents have certificates of the same authority, made out to other names and for servers alone.
 */
export function byCertificate(server: Server): IsAuthorized {
  const known = new WeakSet<Socket>();
  // Before any request of the connection is read; once for all of them.
  server.on('secureConnection', (socket: TLSSocket) => {
    if (isOurs(socket)) known.add(socket);
  });
  return ({ socket }) => known.has(socket);
}

function isOurs(socket: TLSSocket): boolean {
  const certificate = socket.getPeerX509Certificate();
  if (!socket.authorized || certificate === undefined) return false;
  return [ROUTER_TLS_NAME, OPERATOR_TLS_NAME].some(
    (name) => certificate.checkHost(name, { subject: 'never', wildcards: false }) !== undefined,
  );
}
