import { createServer as createPlainServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AgentConfig } from '@replpool/protocol';
import { contextOptions, type Expiry, expiryOf, followTls, REQUEST_TIMEOUT_MS } from '@replpool/service';
import type { Logger } from 'pino';
import { byCertificate, byToken, type IsAuthorized } from './caller.ts';

export interface AgentServer extends Disposable {
  readonly server: Server;
  readonly isAuthorized: IsAuthorized;
  /** Of its certificate, where it has one. */
  expiries(): Expiry[];
}

/** The server that routers and operators reach: by HTTPS with the client's certificate where there is `tls`, and with the token where there is one. */
export async function createAgentServer({ tls, token }: AgentConfig, log: Logger): Promise<AgentServer> {
  const isAuthorized: IsAuthorized[] = token === undefined ? [] : [byToken(token)];
  const isByAll: IsAuthorized = (request) => isAuthorized.length > 0 && isAuthorized.every((holds) => holds(request));
  const options = { requestTimeout: REQUEST_TIMEOUT_MS, noDelay: true };
  if (tls === undefined) {
    const plain = { server: createPlainServer(options), isAuthorized: isByAll };
    return { ...plain, expiries: () => [], [Symbol.dispose]: () => undefined };
  }
  const followed = await followTls(tls, log, (material) => server.setSecureContext(contextOptions(material)));
  const server = createTlsServer({
    ...options,
    ...contextOptions(followed.material),
    requestCert: true,
    rejectUnauthorized: true,
  });
  // The client is told nothing, so here is the only place that has the reason.
  server.on('tlsClientError', (err) => log.debug({ err }, 'a connection was refused'));
  isAuthorized.push(byCertificate(server));
  return {
    ...{ server, isAuthorized: isByAll },
    expiries: () => [expiryOf(followed.material.cert)],
    [Symbol.dispose]: () => followed[Symbol.dispose](),
  };
}
