import assert from 'node:assert/strict';
import type { Language } from './languages.ts';
import { WorkerPeer } from './worker-peer.ts';

/** Interrupts, questions for input, and the heartbeat of a worker whose code is busy. */
export function interruptingCases(language: Language): void {
  let peer: WorkerPeer;
  before(async () => {
    peer = await WorkerPeer.start(language);
  });
  after(async () => {
    await peer?.[Symbol.asyncDispose]();
  });
  const interrupt = (execution: string) => peer.send({ type: 'interrupt', execution });
  const started = async (code: string) => {
    const id = peer.execute(code);
    await peer.expect('started');
    return id;
  };

  for (const [what, code] of [
    ['a loop', language.loop],
    ['a sleep', language.sleep(1000)],
  ] as const) {
    it(`interrupts ${what}, answers heartbeats until then, and goes on`, async () => {
      const id = await started(code);
      peer.send({ type: 'heartbeat' });
      await peer.expect('heartbeat');
      interrupt(id);
      const run = await peer.finish(id);
      assert.deepEqual(run.types(), ['error', 'finished']);
      assert.equal(run.status, 'interrupted');
      assert.equal((await peer.run(language.sum)).text, '2');
    });
  }

  it('drops an interrupt that names what does not run', async () => {
    interrupt('another');
    const id = await started(`${language.sleep(0.3)}\n${language.print('whole')}`);
    interrupt('another');
    const run = await peer.finish(id);
    assert.deepEqual([run.stdout, run.status], ['whole\n', 'ok']);
    interrupt(id);
    assert.equal((await peer.run(`${language.sleep(0.3)}\n${language.sum}`)).text, '2');
  });

  it('drops an interrupt of what is queued: only what runs is interrupted', async () => {
    const first = await started(language.sleep(1000));
    const second = peer.execute(language.sum);
    interrupt(second);
    interrupt(first);
    assert.equal((await peer.finish(first)).status, 'interrupted');
    assert.equal((await peer.finish(second)).text, '2');
  });

  it('ends once, however often it is interrupted', async () => {
    const id = await started(language.loop);
    for (let i = 0; i < 20; i += 1) interrupt(id);
    assert.equal((await peer.finish(id)).status, 'interrupted');
    for (let i = 0; i < 20; i += 1) interrupt(id);
    assert.equal((await peer.run(`${language.sleep(0.3)}\n${language.sum}`)).text, '2');
  });

  it('never has an interrupt reach the next execution, however close it comes to the end', async () => {
    for (let i = 0; i < 100; i += 1) {
      const hit = peer.execute(language.sleep(0.002 * (i % 3)));
      const next = peer.execute(language.sum);
      await peer.expect('started');
      interrupt(hit);
      assert.match((await peer.finish(hit)).status, /^(ok|interrupted)$/);
      assert.equal((await peer.finish(next)).text, '2', `round ${i}`);
    }
  });

  it('asks for input, and takes a line or the end', async () => {
    for (const [answer, output] of [
      [{ value: 'Łukasz' }, 'got Łukasz\n'],
      [{ value: '' }, 'got \n'],
      [{ eof: true }, 'end\n'],
    ] as const) {
      const id = peer.execute(language.input);
      const run = await peer.finish(id, (frame) => {
        if (frame.type !== 'input_request') return;
        const { execution, prompt, password, main } = frame;
        assert.deepEqual([execution, prompt, password, main], [id, 'name? ', false, true]);
        peer.send({ type: 'heartbeat' });
        peer.send({ type: 'input_reply', request: 'of nobody', value: 'wrong' });
        peer.send({ type: 'input_reply', request: frame.request, ...answer });
      });
      assert.deepEqual([run.stdout, run.status], [output, 'ok']);
      assert.deepEqual(run.types(), ['started', 'input_request', 'heartbeat', 'finished']);
    }
  });

  it('says where an answer is not to be shown', async () => {
    const id = peer.execute(language.password);
    const run = await peer.finish(id, (frame) => {
      if (frame.type === 'input_request') peer.send({ type: 'input_reply', request: frame.request, value: 'secret' });
    });
    assert.deepEqual([run.one('input_request').password, run.stdout], [true, '6\n']);
  });

  it('withdraws its question where it is interrupted, and drops the answer that comes too late', async () => {
    const id = peer.execute(language.input);
    const run = await peer.finish(id, (frame) => {
      if (frame.type === 'input_request') interrupt(id);
      if (frame.type === 'input_cancelled') peer.send({ type: 'input_reply', request: frame.request, value: 'late' });
    });
    assert.deepEqual(run.types(), ['started', 'input_request', 'input_cancelled', 'error', 'finished']);
    assert.equal(run.one('input_cancelled').request, run.one('input_request').request);
    assert.equal(run.status, 'interrupted');
    const next = peer.execute(language.input);
    const second = await peer.finish(next, (frame) => {
      if (frame.type === 'input_request') peer.send({ type: 'input_reply', request: frame.request, value: 'new' });
    });
    assert.equal(second.stdout, 'got new\n');
  });
}
