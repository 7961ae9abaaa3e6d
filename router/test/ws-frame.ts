import * as ws from 'ws';

// Its types leave it out.
const { Sender } = ws as unknown as { Sender: { frame(data: Buffer, options: object): Buffer[] } };

/** One frame as ws writes it for a client, masked. */
export function clientFrame(payload: Uint8Array | string, opcode = 1): Buffer {
  const options = { fin: true, rsv1: false, opcode, mask: true, readOnly: false };
  return Buffer.concat(Sender.frame(Buffer.from(payload as Uint8Array), options));
}
