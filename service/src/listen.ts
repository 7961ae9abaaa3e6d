import { once } from 'node:events';
import type { Server } from 'node:http';
import type { Listen } from '@replpool/protocol';

/** An upload may take its time; the default of five minutes would cut it. */
export const REQUEST_TIMEOUT_MS = 3_600_000;

/** Resolves with the port once the server listens. @throws Error where it cannot */
export async function listen(server: Server, { host, port }: Listen): Promise<number> {
  server.listen(port, host);
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server listens on no port');
  return address.port;
}
