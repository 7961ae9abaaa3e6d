import type { Server } from 'node:http';

/** How often connections that became idle are looked for. */
const SWEEP_MS = 50;

/** Accepts no more connections; resolves when the answers under way have ended, or after `graceMs`, when they are cut. */
export function closeServer(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    // Node.js closes those that are idle now; one whose answer ends later would stay open for its keep-alive.
    const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS);
    const closed = (): void => {
      clearInterval(sweep);
      clearTimeout(cut);
      resolve();
    };
    const cut = setTimeout(() => {
      server.closeAllConnections();
      // Not when the server says so: connections that were upgraded count for it too, and are not its to cut.
      closed();
    }, graceMs);
    server.close(closed);
  });
}
