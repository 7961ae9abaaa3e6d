import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { encodeFrame, FrameError } from '@replpool/protocol';
import { hostileBytes, Random } from '../../protocol/test/frame-mutations.ts';
import { FrameLink, LinkError } from '../src/worker/link.ts';

const rounds = Number(process.env.FUZZ_ROUNDS ?? 20_000);
const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);

/** A link whose other side has said hello, and what became of it. */
function openLink() {
  const input = new PassThrough();
  const output = new PassThrough().resume();
  const heard: number[] = [];
  const closed: (Error | undefined)[] = [];
  const link = new FrameLink(input, output, {
    hello: () => undefined,
    frame: (frame) => heard.push(Number(frame.n)),
    closed: (error) => closed.push(error),
  });
  return { link, input, heard, closed };
}

describe('the link to a worker', function () {
  this.timeout(600_000);

  it(`ends once, by itself and by an error of the protocol, at ${rounds} hostile streams (SEED=${seed})`, () => {
    let ended = 0;
    for (let round = 0; round < rounds; round += 1) {
      const random = new Random(seed + round);
      const { codec, bytes } = hostileBytes(random);
      const { link, input, heard, closed } = openLink();
      link.answerHello({ type: 'hello', protocol: 1, codec }, codec);
      const good = [1, 2, 3].map((n) => encodeFrame({ type: 'heartbeat', n, ack: 0 }, codec));
      input.emit('data', Buffer.concat([...good, bytes]));
      input.emit('data', hostileBytes(random).bytes);
      assert.deepEqual(
        heard,
        Array.from(heard, (_, i) => i + 1),
        `SEED=${seed + round}`,
      );
      assert.ok(closed.length <= 1, `SEED=${seed + round}`);
      for (const error of closed) {
        assert.ok(error instanceof FrameError || error instanceof LinkError, `SEED=${seed + round}: ${error}`);
      }
      ended += closed.length;
      link[Symbol.dispose]();
      assert.equal(closed.length, 1);
    }
    if (rounds >= 1000) assert.ok(ended > rounds / 4, `${ended} links ended`);
  });

  it('takes no frame without a whole number from 1 on, and drops what it has seen', () => {
    for (const n of [undefined, null, 0, -1, 1.5, '1', true, [1], {}]) {
      const { link, input, heard, closed } = openLink();
      link.answerHello({ type: 'hello', protocol: 1, codec: 'json' }, 'json');
      input.emit('data', encodeFrame({ type: 'heartbeat', n, ack: 0 }, 'json'));
      assert.deepEqual([heard, closed.length], [[], 1], JSON.stringify(n));
      assert.ok(closed[0] instanceof LinkError);
    }
    const { link, input, heard, closed } = openLink();
    link.answerHello({ type: 'hello', protocol: 1, codec: 'json' }, 'json');
    for (const n of [1, 2, 1, 2, 3]) input.emit('data', encodeFrame({ type: 'heartbeat', n, ack: 0 }, 'json'));
    assert.deepEqual([heard, closed], [[1, 2, 3], []]);
  });
});
