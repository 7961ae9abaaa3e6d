import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { FrameLink, LinkError } from '../src/worker/link.ts';

describe('a link', () => {
  it('ends where the other side does not read: what waits for it is bounded', () => {
    const unread = new PassThrough();
    const closed: (Error | undefined)[] = [];
    const events = { hello: () => undefined, frame: () => undefined, closed: (error?: Error) => closed.push(error) };
    const link = new FrameLink(new PassThrough(), unread, events);
    link.answerHello({ type: 'hello' }, 'msgpack');
    const value = 'x'.repeat(1024 * 1024);
    for (let sent = 0; sent < 100 && closed.length === 0; sent += 1) link.send({ type: 'input_reply', value });
    assert.ok(closed[0] instanceof LinkError);
    assert.match(closed[0].message, /does not read/);
    assert.ok(unread.readableLength + unread.writableLength < 40 * 1024 * 1024);
  });
});
