import assert from 'node:assert/strict';
import { encodeFrame, frameCodecs } from '@replpool/protocol';
import type { Language } from './languages.ts';
import { type Transport, WorkerPeer } from './worker-peer.ts';

const EX_PROTOCOL = 76;
const transports: readonly Transport[] = ['fds', 'stdio'];

/** The hello both ways, and every way in which it fails. */
export function greetingCases(language: Language): void {
  for (const transport of transports) {
    it(`says in its hello what it is (${transport})`, async () => {
      await using peer = new WorkerPeer(language, transport);
      const hello = await peer.hello();
      assert.deepEqual(
        [hello.language, hello.transport, hello.pid, hello.protocol.includes(1)],
        [language.name, transport, peer.process.pid, true],
      );
      assert.deepEqual(hello.capabilities.toSorted(), ['complete', 'input', 'inspect', 'variables']);
      for (const codec of frameCodecs) assert.ok(hello.codecs.includes(codec), codec);
    });

    for (const codec of frameCodecs) {
      it(`goes on in the chosen codec (${codec}, ${transport})`, async () => {
        await using peer = await WorkerPeer.start(language, transport, codec);
        const run = await peer.run(`${language.print('Grüße 🚀')}\n${language.sum}`);
        assert.deepEqual([run.stdout, run.text, run.status], ['Grüße 🚀\n', '2', 'ok']);
        assert.deepEqual(run.types(), ['started', 'result', 'finished']);
      });
    }
  }

  const answers: readonly [string, Buffer, RegExp][] = [
    ['a refusal', json({ type: 'refused', code: 'NO_COMMON_VERSION', message: 'this agent speaks 7' }), /speaks 7/],
    ['a version that it has not', json({ type: 'hello', protocol: 2, codec: 'msgpack' }), /version/],
    ['a codec that it has not', json({ type: 'hello', protocol: 1, codec: 'cbor' }), /codec/],
    ['no hello at all', json({ type: 'heartbeat', n: 1, ack: 0 }), /./],
    ['what is not JSON', Buffer.from([0, 0, 0, 2, 0x81, 0xa1]), /./],
    ['a hello of 4 GiB', Buffer.from([255, 255, 255, 255]), /./],
  ];
  for (const [what, answer, said] of answers) {
    it(`ends with status ${EX_PROTOCOL} and says why where the agent answers ${what}`, async () => {
      await using peer = new WorkerPeer(language, 'fds');
      await peer.hello();
      peer.raw(answer);
      assert.equal(await peer.status(), EX_PROTOCOL);
      assert.match(peer.said, said);
    });
  }

  it(`ends with status ${EX_PROTOCOL} where the agent goes without a hello`, async () => {
    await using peer = new WorkerPeer(language, 'stdio');
    await peer.hello();
    peer.close();
    assert.equal(await peer.status(), EX_PROTOCOL);
  });

  it('waits for a whole hello no longer than 10 s', async () => {
    await using silent = new WorkerPeer(language, 'fds');
    await using slow = new WorkerPeer(language, 'fds');
    await Promise.all([silent.hello(), slow.hello()]);
    slow.raw(json({ type: 'hello', protocol: 1, codec: 'json' }).subarray(0, -1));
    assert.deepEqual(await Promise.all([silent.status(), slow.status()]), [EX_PROTOCOL, EX_PROTOCOL]);
    assert.match(silent.said, /10 s/);
    assert.match(slow.said, /10 s/);
  });
}

function json(message: object): Buffer {
  return encodeFrame(message, 'json');
}
