import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { FrameBoundary } from './frame-boundary.ts';

/** "Service restart": the client is to come back, to another router (RFC 6455's registry of close codes). */
const SERVICE_RESTART = 1012;
const REASON = 'the router is about to go';

/**
 * Ends a channel that is passed through as bytes, so that its client comes back elsewhere. The router speaks to the agent in the client's place,
 * which answers a close with the same code behind all that it had to say: of what the client gets nothing is torn.
 */
export class ChannelEnd {
  readonly #client: Duplex;
  readonly #agent: Duplex;
  readonly #sent = new FrameBoundary();
  #wanted = false;
  #done = false;

  /**
   * To be made once `client` is piped into `agent`, so that what it hears of was passed on.
   * @param head what the client sent with its upgrade
   */
  constructor(client: Duplex, agent: Duplex, head: Buffer) {
    this.#client = client;
    this.#agent = agent;
    this.#sent.take(head);
    client.on('data', (chunk: Buffer) => {
      if (this.#done) return;
      this.#sent.take(chunk);
      if (this.#wanted) this.#endAtBoundary();
    });
  }

  end(): void {
    if (this.#wanted) return;
    this.#wanted = true;
    this.#endAtBoundary();
  }

  #endAtBoundary(): void {
    if (!this.#sent.reached) return;
    this.#done = true;
    this.#client.unpipe(this.#agent);
    // What it says from now on is dropped; that it closes must still be noticed.
    this.#client.resume();
    if (this.#agent.writable) this.#agent.write(closeFrame(SERVICE_RESTART, REASON));
  }
}

/** A close frame as a client sends it: masked (RFC 6455 sections 5.3 and 5.5.1). */
function closeFrame(code: number, reason: string): Buffer {
  const payload = Buffer.from(`  ${reason}`);
  payload.writeUInt16BE(code);
  const mask = randomBytes(4);
  const masked = payload.map((byte, i) => byte ^ (mask[i % 4] ?? 0));
  return Buffer.concat([Buffer.from([0x88, 0x80 | payload.length]), mask, masked]);
}
