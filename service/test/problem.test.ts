import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { ReplPoolError } from '@replpool/protocol';
import { refuseUpgrade } from '../src/index.ts';

/** What a client reads whose upgrade was refused. */
async function refused(error: ReplPoolError): Promise<{ head: string; code: unknown }> {
  const socket = new PassThrough();
  refuseUpgrade(socket, error);
  const [head = '', body = ''] = (await text(socket)).split('\r\n\r\n');
  return { head, code: JSON.parse(body).code };
}

describe('a refused upgrade', () => {
  it('is a problem that says when to come again', async () => {
    const { head, code } = await refused(new ReplPoolError('CIRCUIT_OPEN', 'x', { retryAfterSeconds: 17 }));
    assert.match(head, /^HTTP\/1.1 503 Service Unavailable\r\nconnection: close\r\n/);
    assert.match(head, /\r\nretry-after: 17(\r\n|$)/);
    assert.equal(code, 'CIRCUIT_OPEN');
  });

  it('asks for credentials where they are missing, and names the methods that there are', async () => {
    const { head } = await refused(new ReplPoolError('UNAUTHENTICATED', 'x'));
    assert.match(head, /\r\nwww-authenticate: Bearer realm="replpool"(\r\n|$)/);
    const { head: other } = await refused(
      new ReplPoolError('METHOD_NOT_ALLOWED', 'x', { details: { allow: ['GET'] } }),
    );
    assert.match(other, /\r\nallow: GET(\r\n|$)/);
  });
});
