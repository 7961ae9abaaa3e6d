import assert from 'node:assert/strict';
import { KeptDisplays } from '../src/session/kept-displays.ts';
import { RealAgent } from './real-agent.ts';

const plain = (text: string) => ({ data: { 'text/plain': text }, metadata: {} });

describe('the displays of an outcome', () => {
  const texts = (kept: KeptDisplays) => kept.list().map(({ data }) => data['text/plain']);

  it('are as they were updated last, each of an id', () => {
    const kept = new KeptDisplays();
    kept.show(plain('a'), 'one', 1);
    kept.show(plain('b'), undefined, 1);
    kept.show(plain('c'), 'one', 1);
    kept.update(plain('new'), 'one', 3);
    kept.update(plain('nobody'), undefined, 6);
    kept.update(plain('nobody'), 'two', 6);
    assert.deepEqual(texts(kept), ['new', 'b', 'new']);
  });

  it('are without those that were cleared, at once or when the next output comes', () => {
    const kept = new KeptDisplays();
    kept.show(plain('a'), undefined, 1);
    kept.clear(false);
    assert.deepEqual(texts(kept), []);
    kept.show(plain('b'), undefined, 1);
    kept.clear(true);
    assert.deepEqual(texts(kept), ['b']);
    kept.show(plain('c'), undefined, 1);
    assert.deepEqual(texts(kept), ['c']);
    kept.clear(true);
    kept.outputComes();
    assert.deepEqual(texts(kept), []);
  });

  it('have 8 MiB, which an update may free and not exceed', () => {
    const kept = new KeptDisplays();
    const size = 8 * 1024 * 1024;
    kept.show(plain('large'), 'one', size);
    kept.show(plain('no room'), undefined, 1);
    kept.update(plain('larger'), 'one', size + 1);
    assert.deepEqual(texts(kept), ['large']);
    kept.update(plain('small'), 'one', 10);
    kept.show(plain('room'), undefined, size - 10);
    kept.show(plain('none'), undefined, 1);
    assert.deepEqual(texts(kept), ['small', 'room']);
  });

  it('come from the code', async () => {
    const agent = await RealAgent.start({});
    try {
      const { id } = await agent.session();
      const code =
        "h = display('a', display_id='x')\nh.update('b')\ndisplay('c')\nclear_output(wait=True)\ndisplay('d')";
      const outcome = await agent.run(id, code);
      assert.deepEqual(
        outcome.displays.map(({ data }) => data['text/plain']),
        ["'d'"],
      );
      const updated = await agent.run(id, "h = display('a', display_id='x')\nh.update('b')");
      assert.deepEqual(
        updated.displays.map(({ data }) => data['text/plain']),
        ["'b'"],
      );
    } finally {
      await agent.close();
    }
  });
});
