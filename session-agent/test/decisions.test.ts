import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { replPoolSpecSchema, sessionStates } from '@replpool/protocol';
import fc from 'fast-check';
import { isolationOf } from '../src/isolation.ts';
import { EventLog } from '../src/session/event-log.ts';
import { EventReader } from '../src/session/event-reader.ts';
import { OutputBudget } from '../src/session/output-budget.ts';
import { decideRecovery } from '../src/session/recovery.ts';
import { sessionLimits } from '../src/session/session-limits.ts';
import { SegmentFiles } from '../src/session/spill-files.ts';
import { hasEnded, IllegalTransition, transition } from '../src/session/states.ts';
import { StreamTextDecoder } from '../src/worker/text-decoder.ts';

describe('output text', () => {
  it('is the same however its bytes are split', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.array(fc.nat(6)), (text, cuts) => {
        const bytes = Buffer.from(text.toWellFormed());
        const decoder = new StreamTextDecoder();
        let out = '';
        let at = 0;
        for (const cut of cuts) {
          out += decoder.push(bytes.subarray(at, at + cut));
          at += cut;
        }
        assert.equal(out + decoder.push(bytes.subarray(at)) + decoder.flush(), text.toWellFormed());
      }),
    );
  });

  it('shows bytes that are not UTF-8 as \\xNN and loses none', () => {
    const decoder = new StreamTextDecoder();
    assert.equal(decoder.push(Buffer.from([0x61, 0xff, 0xc3])) + decoder.flush(), 'a\\xff\\xc3');
    assert.equal(decoder.push(Buffer.from([0xed, 0xa0, 0x80, 0x62])), '\\xed\\xa0\\x80b');
  });
});

describe('the output budget', () => {
  it('cuts at a code point, warns once, and keeps a beginning without a hole', () => {
    const budget = new OutputBudget(4);
    assert.deepEqual(budget.take('stdout', 'aéé'), { send: 'aé', hitLimit: true });
    assert.deepEqual(budget.take('stdout', 'b'), { send: '', hitLimit: false });
  });
});

describe('the event log', () => {
  const event = (data: string) => ({ type: 'stdout', data }) as const;

  it('gives every event once and in order, from memory and from disk', async () => {
    const folder = join(mkdtempSync(join(tmpdir(), 'replpool-')), 'log');
    using log = new EventLog({ ringBytes: 10_000, spill: new SegmentFiles(folder, 1 << 30) });
    for (let n = 1; n <= 5000; n += 1) log.append(event(`${n}`.repeat(50)));
    assert.ok(log.memoryBytes <= 10_000);
    const seen: number[] = [];
    using _reader = new EventReader(log, 0, { write: ({ seq }) => seen.push(seq) > 0, end: () => undefined });
    while (seen.at(-1) !== 5000) await nextTurn();
    assert.deepEqual(
      seen,
      Array.from({ length: 5000 }, (_, index) => index + 1),
    );
  });

  it('puts an explicit gap where it no longer holds the events', () => {
    using log = new EventLog({ ringBytes: 500 });
    for (let n = 1; n <= 100; n += 1) log.append(event('x'.repeat(50)));
    const read = log.after(0);
    assert.equal(read.kind, 'gap');
    assert.ok(read.kind === 'gap' && read.from === 1 && log.after(read.to).kind === 'events');
  });

  it('lets a slow reader go on where it stopped', () => {
    using log = new EventLog({ ringBytes: 1 << 20 });
    const seen: number[] = [];
    using reader = new EventReader(log, 0, { write: ({ seq }) => seen.push(seq) % 2 === 0, end: () => undefined });
    for (let n = 0; n < 4; n += 1) log.append(event('x'));
    assert.deepEqual(seen, [1]);
    reader.resume();
    assert.deepEqual(seen, [1, 2, 3]);
  });

  it('goes on when the disk takes nothing, with a gap', () => {
    using log = new EventLog({ ringBytes: 100, spill: new SegmentFiles('/dev/null/log', 1 << 30) });
    for (let n = 0; n < 3000; n += 1) log.append(event('x'.repeat(200)));
    assert.equal(log.after(0).kind, 'gap');
  });
});

describe('recovery', () => {
  it('is immediate, then backs off, then opens the circuit after three deaths in a minute', () => {
    assert.deepEqual(decideRecovery([0], 0), { kind: 'restart', afterMs: 0 });
    assert.deepEqual(decideRecovery([0, 10], 10), { kind: 'restart', afterMs: 250 });
    assert.deepEqual(decideRecovery([0, 10, 20], 20), { kind: 'open', forMs: 59_980 });
    assert.deepEqual(decideRecovery([0, 10, 70_000], 70_000), { kind: 'restart', afterMs: 0 });
  });
});

describe('session states', () => {
  it('have no way out of the end', () => {
    for (const from of sessionStates.filter(hasEnded)) {
      for (const to of sessionStates) assert.throws(() => transition(from, to), IllegalTransition);
    }
  });
});

describe('the memory of a session', () => {
  it('is not less than any worker needs', () => {
    const { limits } = replPoolSpecSchema.parse({}).sessions;
    const of = (memory: string | number) => sessionLimits(limits, { limits: { memory } }, limits);
    for (const memory of [0, 231, '4095Ki']) {
      assert.throws(() => of(memory), { code: 'INVALID_REQUEST', message: /limits\.memory/ }, `${memory}`);
    }
    assert.equal(of('4Mi').memory, '4Mi');
  });
});

describe('isolation', () => {
  it('above what is enforced is refused and never pretended', () => {
    assert.throws(() => isolationOf(replPoolSpecSchema.parse({ isolation: { level: 'Baseline' } }), undefined), {
      code: 'INVALID_REQUEST',
    });
    const { missing } = isolationOf(replPoolSpecSchema.parse({}), undefined);
    assert.ok(missing.includes('memory') && !missing.includes('file_descriptors'));
  });

  it('names no wall as missing that cgroups hold', () => {
    const cgroups = { version: 'v1', controllers: ['memory', 'pids'] } as const;
    const isolation = isolationOf(replPoolSpecSchema.parse({}), cgroups);
    assert.equal(isolation.cgroups, 'v1');
    assert.deepEqual(
      ['memory', 'cpu', 'processes', 'leftover_processes', 'disk'].filter((wall) =>
        isolation.missing.some((each) => each === wall),
      ),
      ['cpu', 'disk'],
    );
  });
});
