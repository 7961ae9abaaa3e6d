import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Candidate, MAX_ATTEMPTS, place } from '../src/placement.ts';

const candidate = fc.record({
  up: fc.boolean(),
  ready: fc.boolean(),
  draining: fc.boolean(),
  free: fc.nat(20),
  warm: fc.nat(4),
  pending: fc.nat(4),
});
const agents = fc
  .array(candidate, { maxLength: 20 })
  .map((all): Candidate[] => all.map((it, i) => ({ ...it, pod: `p-${i}`, pool: 'data' })));

const ready = (free: number, warm = 0): Omit<Candidate, 'pod'> => ({
  pool: 'data',
  up: true,
  ready: true,
  draining: false,
  free,
  warm,
  pending: 0,
});

describe('placement', () => {
  it('asks only agents that are up, ready and not draining, each once, and at most eight', () => {
    fc.assert(
      fc.property(
        agents,
        fc.uuid(),
        fc.option(fc.string({ minLength: 1 }), { nil: undefined }),
        (all, id, affinityKey) => {
          const placement = place(all, { id, affinityKey });
          const open = all.filter((agent) => agent.up && agent.ready && !agent.draining);
          if (!('candidates' in placement)) return assert.equal(open.length, 0);
          const { candidates } = placement;
          assert.equal(new Set(candidates).size, candidates.length);
          assert.equal(candidates.length, Math.min(open.length, MAX_ATTEMPTS));
          for (const agent of candidates) assert.ok(open.includes(agent));
        },
      ),
    );
  });

  it('never prefers a full agent to one with room', () => {
    fc.assert(
      fc.property(agents, fc.uuid(), (all, id) => {
        const placement = place(all, { id });
        if (!('candidates' in placement)) return;
        const full = placement.candidates.map((agent) => agent.free - agent.pending <= 0);
        assert.deepEqual(full, full.toSorted());
      }),
    );
  });

  it('prefers the revision of the youngest pod, as long as it has room', () => {
    const pod = (name: string, revision: string, minute: number, free: number): Candidate => ({
      ...{ ...ready(free, free), pod: name, revision, createdAt: `2026-01-01T00:0${minute}:00Z` },
    });
    const olds = [pod('a', 'old', 1, 9), pod('b', 'old', 2, 9)];
    const order = (free: number, affinityKey?: string): string[] => {
      const placement = place([...olds, pod('c', 'new', 3, free)], { id: crypto.randomUUID(), affinityKey });
      return 'candidates' in placement ? placement.candidates.map(({ pod: name }) => name) : [];
    };
    for (const key of [undefined, 'k1', 'k2', 'k3']) {
      assert.equal(order(1, key)[0], 'c');
      assert.equal(order(0, key).at(-1), 'c');
    }
  });

  it('takes the warmer, then the freer of two', () => {
    fc.assert(
      fc.property(fc.uuid(), fc.integer({ min: 1, max: 9 }), (id, free) => {
        const first = (a: Candidate, b: Candidate) => {
          const placement = place([a, b], { id });
          return 'candidates' in placement ? placement.candidates[0]?.pod : undefined;
        };
        assert.equal(first({ ...ready(free), pod: 'a' }, { ...ready(free + 1), pod: 'b' }), 'b');
        assert.equal(first({ ...ready(free, 1), pod: 'a' }, { ...ready(free + 1), pod: 'b' }), 'a');
      }),
    );
  });

  it('keeps an affinity key at its agent when another agent leaves', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.uuid(), fc.nat(4), (affinityKey, id, leaver) => {
        const all = [0, 1, 2, 3, 4].map((i) => ({ ...ready(5), pod: `p-${i}` }));
        const firstOf = (some: Candidate[]) => {
          const placement = place(some, { id, affinityKey });
          return 'candidates' in placement ? placement.candidates[0]?.pod : undefined;
        };
        const before = firstOf(all);
        if (before !== `p-${leaver}`) assert.equal(firstOf(all.filter((_, i) => i !== leaver)), before);
      }),
    );
  });

  it('spreads sessions evenly', () => {
    const counts = new Map<string, number>();
    const all = [0, 1, 2, 3].map((i) => ({ ...ready(5), pod: `p-${i}` }));
    for (let i = 0; i < 4_000; i++) {
      const placement = place(all, { id: crypto.randomUUID() });
      const pod = ('candidates' in placement && placement.candidates[0]?.pod) || '';
      counts.set(pod, (counts.get(pod) ?? 0) + 1);
    }
    for (const count of counts.values()) assert.ok(count > 800 && count < 1_200, `${count} of 4000`);
  });

  it('says WARMING while none is ready and DRAINING where all drain', () => {
    assert.deepEqual(place([{ ...ready(1), pod: 'a', ready: false }], { id: 'x' }), { refusal: 'WARMING' });
    assert.deepEqual(place([{ ...ready(1), pod: 'a', draining: true }], { id: 'x' }), { refusal: 'DRAINING' });
  });
});
