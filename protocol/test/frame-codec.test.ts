import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  answerHello,
  decodeMessage,
  encodeFrame,
  FrameDecoder,
  FrameError,
  frameCodecs,
  fromWorkerSchema,
  parseFrame,
  type WorkerHello,
} from '../src/index.ts';

const key = fc.string({ unit: 'grapheme', maxLength: 40 }).filter((it) => it !== '__proto__');
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.string({ unit: 'grapheme', maxLength: 300 }),
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).filter((it) => !Object.is(it, -0)),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 20 }),
    fc.dictionary(key, tie('value'), { maxKeys: 20, noNullPrototype: true }),
  ),
}));

const messages = fc.array(fc.record({ type: fc.string(), value }, { noNullPrototype: true }), {
  minLength: 1,
  maxLength: 5,
});

describe('frames', () => {
  for (const codec of frameCodecs) {
    it(`come out of any split of the stream as they went in (${codec})`, () => {
      fc.assert(
        fc.property(messages, fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }), (sent, sizes) => {
          const stream = Buffer.concat(sent.map((message) => encodeFrame(message, codec)));
          const decoder = new FrameDecoder();
          const received: unknown[] = [];
          for (let at = 0, i = 0; at < stream.length; i++) {
            const size = sizes[i % sizes.length] ?? 1;
            for (const payload of decoder.push(stream.subarray(at, at + size))) {
              received.push(decodeMessage(payload, codec));
            }
            at += size;
          }
          assert.deepEqual(received, sent);
          assert.equal(decoder.pendingBytes, 0);
        }),
      );
    });
  }

  it('survive a split at every single byte', () => {
    const sent = [{ type: 'a', data: Buffer.from([0, 1, 255]) }, { type: 'ü'.repeat(100) }, { type: 'b' }];
    const stream = Buffer.concat(sent.map((message) => encodeFrame(message, 'msgpack')));
    for (let cut = 0; cut <= stream.length; cut++) {
      const decoder = new FrameDecoder();
      const payloads = [...decoder.push(stream.subarray(0, cut)), ...decoder.push(stream.subarray(cut))];
      assert.deepEqual(
        payloads.map((payload) => decodeMessage(payload, 'msgpack')),
        sent,
        `cut at ${cut}`,
      );
    }
  });

  it('leave out fields that are undefined', () => {
    for (const codec of frameCodecs) {
      const [payload = Buffer.alloc(0)] = new FrameDecoder().push(encodeFrame({ a: 1, b: undefined }, codec));
      assert.deepEqual(decodeMessage(payload, codec), { a: 1 });
    }
  });

  it('carry bytes as base64 in JSON, and give them back as bytes', () => {
    const sent = { type: 'stdout', n: 1, ack: 0, data: Buffer.from([0, 200, 255]) };
    for (const codec of frameCodecs) {
      const [payload = Buffer.alloc(0)] = new FrameDecoder().push(encodeFrame(sent, codec));
      assert.deepEqual(parseFrame(fromWorkerSchema, payload, codec), sent);
    }
  });

  it('give bytes that do not change when the buffer is used again', () => {
    const stream = encodeFrame({ data: Buffer.from('kept') }, 'msgpack');
    const [payload = Buffer.alloc(0)] = new FrameDecoder().push(stream);
    const message = decodeMessage(payload, 'msgpack') as { data: Buffer };
    stream.fill(0);
    assert.equal(message.data.toString(), 'kept');
  });

  it('are refused when longer than the limit, before they arrived, and for good', () => {
    const decoder = new FrameDecoder({ maxBytes: 10 });
    assert.throws(() => decoder.push(Buffer.from([0, 0, 0, 11])), FrameError);
    assert.throws(() => decoder.push(encodeFrame({}, 'msgpack')), /11 bytes, more than 10/);
  });

  it('are refused when empty', () => {
    assert.throws(() => new FrameDecoder().push(Buffer.alloc(4)), /empty/);
  });

  it('take no memory on the word of a header', () => {
    const decoder = new FrameDecoder();
    decoder.push(Buffer.from([3, 255, 255, 255]));
    assert.equal(decoder.pendingBytes, 4);
  });

  it('of a megabyte in single bytes are decoded in linear time', () => {
    const frame = encodeFrame({ code: 'x'.repeat(1_000_000) }, 'msgpack');
    const decoder = new FrameDecoder();
    let payloads: Buffer[] = [];
    for (let at = 0; at < frame.length; at++) payloads = decoder.push(frame.subarray(at, at + 1));
    assert.equal(payloads.length, 1);
  }).timeout(5000);

  it('that are no message, or not of the protocol, are a FrameError that says where', () => {
    assert.throws(() => decodeMessage(Buffer.from([0xc1]), 'msgpack'), FrameError);
    assert.throws(() => decodeMessage(Buffer.from([0x92, 0x01]), 'msgpack'), FrameError);
    assert.throws(() => decodeMessage(Buffer.from([0x01, 0x01]), 'msgpack'), FrameError);
    assert.throws(() => decodeMessage(Buffer.from('{'), 'json'), FrameError);
    assert.throws(() => decodeMessage(Buffer.from([0x22, 0xff, 0x22]), 'json'), FrameError);
    const unknown = Buffer.from('{"type":"started","n":0,"ack":0,"execution":"e"}');
    assert.throws(() => parseFrame(fromWorkerSchema, unknown, 'json'), /: n: /);
  });
});

describe('the hello', () => {
  const hello: WorkerHello = {
    type: 'hello',
    protocol: [1],
    codecs: ['json', 'msgpack'],
    language: 'python',
    transport: 'socket',
    capabilities: [],
    pid: 1,
  };

  it('chooses msgpack where both sides have it', () => {
    assert.deepEqual(answerHello({ ...hello, protocol: [1, 2] }), { type: 'hello', protocol: 1, codec: 'msgpack' });
    assert.deepEqual(answerHello({ ...hello, codecs: ['x', 'json'] }), { type: 'hello', protocol: 1, codec: 'json' });
  });

  it('refuses in words where there is no common version or codec', () => {
    assert.deepEqual(answerHello({ ...hello, protocol: [2, 3] }), {
      type: 'refused',
      code: 'NO_COMMON_VERSION',
      message: 'no common protocol version: the worker has 2,3, the agent 1',
    });
    assert.equal(answerHello({ ...hello, codecs: ['cbor'] }).type, 'refused');
  });
});
