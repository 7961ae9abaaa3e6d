import assert from 'node:assert/strict';
import { encodeFrame, type FrameCodec, frameCodecs } from '@replpool/protocol';
import type { Language } from './languages.ts';
import { WorkerPeer } from './worker-peer.ts';

const EX_SOFTWARE = 70;

/** Numbers, acknowledgements, and frames that are none. */
export function framingCases(language: Language): void {
  it('drops a frame that it has seen, and acknowledges the highest', async () => {
    await using peer = await WorkerPeer.start(language);
    peer.send({ type: 'heartbeat' });
    assert.equal((await peer.expect('heartbeat')).ack, 1);
    peer.raw(encodeFrame({ type: 'heartbeat', n: 1, ack: 0 }, 'msgpack'));
    peer.raw(encodeFrame({ type: 'shutdown', n: 1, ack: 0 }, 'msgpack'));
    peer.send({ type: 'heartbeat' });
    assert.equal((await peer.expect('heartbeat')).ack, 2);
    assert.equal((await peer.run(language.sum)).text, '2');
  });

  it('puts frames together, however they are cut', async () => {
    await using peer = await WorkerPeer.start(language);
    const frames = [1, 2, 3].map(() => peer.frame({ type: 'heartbeat' }));
    for (const byte of Buffer.concat(frames)) {
      peer.raw(Buffer.of(byte));
      // So that they are written one by one.
      await new Promise(setImmediate);
    }
    for (const _ of frames) await peer.expect('heartbeat');
    assert.equal((await peer.run(language.sum)).text, '2');
  });

  const broken: readonly [string, (codec: FrameCodec) => Buffer][] = [
    ['a frame behind a hole', (codec) => encodeFrame({ type: 'heartbeat', n: 2, ack: 0 }, codec)],
    ...[undefined, null, 0, -1, 1.5, '1', true, [1]].map((n): [string, (codec: FrameCodec) => Buffer] => [
      `a frame with the number ${JSON.stringify(n)}`,
      (codec) => encodeFrame({ type: 'heartbeat', n, ack: 0 }, codec),
    ]),
    ['a frame without a type', (codec) => encodeFrame({ n: 1, ack: 0 }, codec)],
    ['a type that is no text', (codec) => encodeFrame({ type: 7, n: 1, ack: 0 }, codec)],
    ['a type that there is not', (codec) => encodeFrame({ type: 'explode', n: 1, ack: 0 }, codec)],
    ['an execute without an id', (codec) => encodeFrame({ type: 'execute', code: '1', n: 1, ack: 0 }, codec)],
    [
      'an execute whose code is no text',
      (codec) => encodeFrame({ type: 'execute', execution: 'e', code: 1, n: 1, ack: 0 }, codec),
    ],
    ['a list', (codec) => encodeFrame([], codec)],
    ['nothing', (codec) => encodeFrame(null, codec)],
    ['an empty frame', () => Buffer.alloc(4)],
    ['a byte that is no message', () => Buffer.from([0, 0, 0, 1, 0xc1])],
    ['half a message', (codec) => frame(encodeFrame({ type: 'heartbeat', n: 1, ack: 0 }, codec).subarray(4, -1))],
    ['nesting without an end', (codec) => frame(Buffer.alloc(200_000, codec === 'json' ? '[' : 0x91))],
    ['a length above 64 MiB', () => Buffer.from([4, 0, 0, 1])],
    ['the greatest length', () => Buffer.from([255, 255, 255, 255, 0])],
  ];
  for (const [i, [what, bytes]] of broken.entries()) {
    const codec = frameCodecs[i % frameCodecs.length] ?? 'json';
    it(`ends with status ${EX_SOFTWARE} at ${what}, and says so (${codec})`, async () => {
      await using peer = await WorkerPeer.start(language, 'fds', codec);
      peer.raw(bytes(codec));
      assert.equal(await peer.status(), EX_SOFTWARE);
      assert.notEqual(peer.said, '');
    });
  }

  it(`ends with status ${EX_SOFTWARE} where its input ends inside a frame, with 0 between two`, async () => {
    await using inside = await WorkerPeer.start(language);
    await using between = await WorkerPeer.start(language);
    inside.raw(Buffer.from([0, 0, 0, 9, 1]));
    inside.close();
    between.close();
    assert.deepEqual(await Promise.all([inside.status(), between.status()]), [EX_SOFTWARE, 0]);
  });
}

function frame(body: Uint8Array): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt32BE(body.length);
  return Buffer.concat([header, body]);
}
