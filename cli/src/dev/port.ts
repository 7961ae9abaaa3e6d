import { once } from 'node:events';
import { createServer } from 'node:net';
import { serviceFailed } from '../failure.ts';

/** Fails early and clearly where the port is taken, before minutes go into an environment. */
export async function demandFreePort(port: number): Promise<void> {
  if (port === 0) return;
  const server = createServer();
  server.listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const what = code === 'EADDRINUSE' ? 'is in use' : code === 'EACCES' ? 'needs root' : `cannot be opened (${code})`;
    throw serviceFailed(
      `port ${port} on 127.0.0.1 ${what}`,
      'take another with --port, or --port 0 for a free one',
      error,
    );
  }
  server.close();
  await once(server, 'close');
}
