import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { AgentEndpoint } from '@replpool/protocol';
import { agentTlsOptions, type TlsSource } from '@replpool/service';
import { buildConnector } from 'undici';

/**
 * No session is kept: what it resumed would be trusted as of then. No HTTP/2, which no agent speaks.
 * The timeout is from the first packet to the end of the handshake.
 */
const OPTIONS = { timeout: 2_000, maxCachedSessions: 0, allowH2: false };

/** How undici connects to an agent: each time with the certificate of the moment, and to nobody but an agent of its pool. */
export function agentConnector({ url, pool }: AgentEndpoint, tls: TlsSource | undefined): buildConnector.connector {
  if (!isTls(url)) return buildConnector(OPTIONS);
  return (to, connected) => {
    const { servername, ...secure } = agentTlsOptions(pool, tls);
    buildConnector({ ...OPTIONS, ...secure })({ ...to, servername }, connected);
  };
}

/** One connection to an agent, for what is no plain request. @throws Error */
export function dialAgent(
  { url, pool }: AgentEndpoint,
  tls: TlsSource | undefined,
  timeoutMs: number,
): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const to = { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || (isTls(url) ? 443 : 80)), noDelay: true };
  const socket = isTls(url) ? connectTls({ ...to, ...agentTlsOptions(pool, tls) }) : connectPlain(to);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => socket.destroy(new Error('connect timed out')), timeoutMs);
    socket.once('error', failed);
    socket.once(isTls(url) ? 'secureConnect' : 'connect', () => {
      clearTimeout(timer);
      socket.off('error', failed);
      resolve(socket);
    });
    function failed(cause: Error): void {
      clearTimeout(timer);
      reject(cause);
    }
  });
}

function isTls(url: string): boolean {
  return new URL(url).protocol === 'https:';
}
