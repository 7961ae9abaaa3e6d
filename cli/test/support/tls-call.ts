import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import { connect } from 'node:tls';
import { agentTlsName } from '@replpool/protocol';
import type { TlsMaterial } from '@replpool/service';

/** GETs something of an agent with any certificate or none, on a connection of its own. @returns the status and the body */
export async function callAgent(
  url: string,
  pool: string,
  path: string,
  material: Pick<TlsMaterial, 'ca'> & Partial<TlsMaterial>,
): Promise<{ readonly status: number; readonly body: string }> {
  const call = request(new URL(path, url), { ...material, agent: false, servername: agentTlsName(pool) }).end();
  const [response] = (await once(call, 'response')) as [IncomingMessage];
  return { status: response.statusCode ?? 0, body: await text(response) };
}

/** The certificate that a server shows now, by its fingerprint; nothing of it is checked. */
export async function fingerprintOf(url: string, { cert, key }: TlsMaterial): Promise<string> {
  const { hostname: host, port } = new URL(url);
  const socket = connect({ host, port: Number(port), cert, key, rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}
