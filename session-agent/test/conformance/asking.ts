import assert from 'node:assert/strict';
import { completionSchema, inspectionSchema, variableDetailSchema, variableListSchema } from '@replpool/protocol';
import type { Language } from './languages.ts';
import { WorkerPeer } from './worker-peer.ts';

/** Questions about the namespace, and the end. */
export function askingCases(language: Language): void {
  let peer: WorkerPeer;
  before(async () => {
    peer = await WorkerPeer.start(language);
    await peer.run(language.assign);
  });
  after(async () => {
    await peer?.[Symbol.asyncDispose]();
  });
  const value = async (question: Record<string, unknown>) => {
    const answer = await peer.ask(question);
    assert.equal(answer.type, 'reply');
    return answer.type === 'reply' && answer.value;
  };

  it('lists the variables, shows one, and has a problem for one that there is not', async () => {
    const { items } = variableListSchema.parse(await value({ type: 'variables' }));
    assert.deepEqual(
      items.map(({ name, summary }) => [name, summary]),
      [['v', '1']],
    );
    const one = variableDetailSchema.parse(await value({ type: 'variables', name: 'v' }));
    assert.deepEqual([one.name, one.summary, one.preview.data['text/plain']], ['v', '1', '1']);
    const none = await peer.ask({ type: 'variables', name: 'no_such' });
    assert.equal(none.type === 'problem' && none.code, 'VARIABLE_NOT_FOUND');
  });

  it('completes at a cursor in code points', async () => {
    const [start, whole] = language.completion;
    const code = `"🚀🚀"; ${start}`;
    const cursor = Array.from(code).length;
    const found = completionSchema.parse(await value({ type: 'complete', code, cursor }));
    assert.ok(found.matches.includes(whole), `${found.matches}`);
    assert.deepEqual([found.cursorStart, found.cursorEnd], [cursor - start.length, cursor]);
  });

  it('explains what stands at a cursor, or has not found it', async () => {
    const [, name] = language.completion;
    const found = inspectionSchema.parse(await value({ type: 'inspect', code: name, cursor: 2 }));
    assert.equal(found.found, true);
    assert.equal(typeof found.data['text/plain'], 'string');
    const none = inspectionSchema.parse(await value({ type: 'inspect', code: 'no_such_name', cursor: 3 }));
    assert.deepEqual(none, { found: false, data: {} });
  });

  it('answers each of many questions by the name that it had', async () => {
    const names = Array.from({ length: 50 }, (_, i) => (i % 2 === 0 ? i : `q${i}`));
    for (const request of names) peer.send({ type: 'variables', request, name: 'v' });
    const answered = [];
    for (const _ of names) answered.push((await peer.expect('reply')).request);
    assert.deepEqual(answered, names);
  });

  it('answers what it is asked while its code waits for input', async () => {
    const id = peer.execute(language.input);
    const run = await peer.finish(id, (frame) => {
      if (frame.type !== 'input_request') return;
      peer.send({ type: 'variables', request: 'meanwhile', name: 'v' });
      peer.send({ type: 'input_reply', request: frame.request, value: 'x' });
    });
    const answered = run.types().includes('reply') ? run.one('reply') : await peer.expect('reply');
    assert.equal(answered.request, 'meanwhile');
  });

  it('ends with 0 when it is told to, and when its agent goes, idle or busy', async () => {
    const ends: ((it: WorkerPeer) => void)[] = [(it) => it.send({ type: 'shutdown' }), (it) => it.close()];
    for (const end of ends) {
      await using idle = await WorkerPeer.start(language);
      await using busy = await WorkerPeer.start(language, 'stdio', 'json');
      busy.execute(language.loop);
      await busy.expect('started');
      for (const it of [idle, busy]) end(it);
      assert.deepEqual(await Promise.all([idle.status(), busy.status()]), [0, 0]);
    }
  });

  it('ends alone: what one sends wrongly is no other worker’s end', async () => {
    await using other = await WorkerPeer.start(language);
    other.raw(Buffer.from([0, 0, 0, 1, 0xc1]));
    assert.equal(await other.status(), 70);
    assert.equal((await peer.run(language.read)).text, '1');
  });
}
