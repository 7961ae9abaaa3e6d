import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Plan, plan, type Wanted } from '../src/pool/plan.ts';
import type { PodView } from '../src/pool/pod-view.ts';

const NOW = 1_000_000;
let made = 0;

function pod(view: Partial<PodView> = {}): PodView {
  made += 1;
  const name = `pool-${made}`;
  return {
    name,
    uid: name,
    revision: 'new',
    createdAt: made,
    phase: 'ready',
    load: { sessions: 0, busy: 0, warm: 0 },
    ...view,
  };
}

const wanted: Wanted = { replicas: 2, revision: 'new', maxSurge: 1, maxUnavailable: 1 };
const names = (pods: readonly PodView[]) => pods.map(({ name }) => name);

describe('the plan of a pool', () => {
  it('makes what is missing, and does nothing where all is as wanted', () => {
    assert.equal(plan([], wanted, NOW).create, 2);
    assert.deepEqual(plan([pod(), pod()], wanted, NOW), { create: 0, drain: [], delete: [] } satisfies Plan);
  });

  it('replaces a failed pod', () => {
    const failed = pod({ phase: 'failed' });
    const { create, delete: gone } = plan([pod(), failed], wanted, NOW);
    assert.deepEqual([create, names(gone)], [1, [failed.name]]);
  });

  it('drains the pod with the least to lose, and never a busy one while an idle one is there', () => {
    const busy = pod({ load: { sessions: 1, busy: 1, warm: 0 } });
    const unknown = pod({ load: undefined });
    const full = pod({ load: { sessions: 30, busy: 0, warm: 0 } });
    assert.deepEqual(names(plan([busy, unknown, full], wanted, NOW).drain), [full.name]);
    assert.deepEqual(names(plan([busy, unknown], { ...wanted, replicas: 1 }, NOW).drain), [busy.name]);
  });

  it('deletes a surplus pod that never served at once', () => {
    const pending = pod({ phase: 'pending', load: undefined });
    const { drain, delete: gone } = plan([pod(), pod(), pending], wanted, NOW);
    assert.deepEqual([drain, names(gone)], [[], [pending.name]]);
  });

  it('deletes a draining pod when it is empty or when its time is over, not before', () => {
    const empty = pod({ phase: 'draining', drainsUntil: NOW + 1 });
    const used = pod({ phase: 'draining', drainsUntil: NOW + 1, load: { sessions: 1, busy: 0, warm: 0 } });
    const silent = pod({ phase: 'draining', drainsUntil: NOW + 1, load: undefined });
    const late = pod({ phase: 'draining', drainsUntil: NOW, load: { sessions: 1, busy: 1, warm: 0 } });
    const { delete: gone } = plan([pod(), pod(), empty, used, silent, late], wanted, NOW);
    assert.deepEqual(names(gone), [empty.name, late.name]);
  });

  it('rolls a new revision: one more at first, then an old one drains for each that is ready', () => {
    const old = [pod({ revision: 'old' }), pod({ revision: 'old', load: { sessions: 1, busy: 1, warm: 0 } })];
    const careful = { ...wanted, maxUnavailable: 0 };
    assert.deepEqual(plan(old, careful, NOW), { create: 1, drain: [], delete: [] } satisfies Plan);
    const next = plan([...old, pod()], careful, NOW);
    assert.deepEqual([next.create, names(next.drain)], [0, [old[0]?.name]]);
  });

  it('replaces old pods that never became ready, for the new template may mend them', () => {
    const stuck = pod({ revision: 'old', phase: 'pending', load: undefined });
    assert.deepEqual(names(plan([stuck, pod()], wanted, NOW).delete), [stuck.name]);
  });

  const load = fc.option(
    fc
      .record({ sessions: fc.nat(40), busy: fc.nat(3) })
      .map(({ sessions, busy }) => ({ sessions, busy: Math.min(sessions, busy), warm: 0 })),
    { nil: undefined },
  );
  const anyPod = fc
    .record({
      revision: fc.constantFrom('old', 'new'),
      phase: fc.constantFrom('pending', 'ready', 'draining', 'failed', 'terminating'),
      load,
      drainsUntil: fc.integer({ min: NOW - 5, max: NOW + 5 }),
    })
    .map((view) => pod(view as Partial<PodView>));
  const anyWanted = fc
    .record({ replicas: fc.nat(6), maxSurge: fc.nat(3), maxUnavailable: fc.nat(3) })
    .filter(({ maxSurge, maxUnavailable }) => maxSurge + maxUnavailable > 0)
    .map((it) => ({ ...it, revision: 'new' }));

  it('keeps its promises whatever the pods are', () => {
    fc.assert(
      fc.property(fc.array(anyPod, { maxLength: 12 }), anyWanted, (pods, it) => {
        const { create, drain, delete: gone } = plan(pods, it, NOW);
        const live = pods.filter(({ phase }) => phase !== 'failed' && phase !== 'terminating');
        if (create > 0) assert.ok(live.length + create <= it.replicas + it.maxSurge, 'more than the surge allows');
        const ready = live.filter(({ phase }) => phase === 'ready').length;
        const isSurplus =
          live.filter(({ phase, revision }) => phase !== 'draining' && revision === 'new').length > it.replicas;
        if (!isSurplus) assert.ok(drain.length === 0 || ready - drain.length >= it.replicas - it.maxUnavailable);
        for (const each of gone) {
          const harmless = each.phase === 'failed' || each.phase === 'pending' || each.load?.sessions === 0;
          assert.ok(harmless || (each.phase === 'draining' && (each.drainsUntil ?? 0) <= NOW), 'a session was lost');
        }
        for (const each of drain) {
          const cheaper = live.filter(
            (other) =>
              other.phase === 'ready' &&
              other.revision === each.revision &&
              !drain.includes(other) &&
              other.load?.busy === 0,
          );
          if (each.load === undefined || each.load.busy > 0)
            assert.deepEqual(names(cheaper), [], 'an idle pod was spared');
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('arrives: repeated, it ends with as many ready pods of the new revision as wanted', () => {
    fc.assert(
      fc.property(fc.array(anyPod, { maxLength: 8 }), anyWanted, (start, it) => {
        let pods = start;
        for (let step = 0; step < 60; step += 1) {
          const next = plan(pods, it, NOW);
          const drained = new Set(next.drain);
          const gone = new Set(next.delete);
          pods = pods
            .filter((each) => !gone.has(each) && each.phase !== 'terminating')
            // Meanwhile pods become ready, and drains end.
            .map((each) =>
              each.phase === 'pending'
                ? { ...each, phase: 'ready' as const, load: { sessions: 1, busy: 0, warm: 0 } }
                : each,
            )
            .map((each) => (each.phase === 'draining' ? { ...each, drainsUntil: NOW } : each))
            .map((each) => (drained.has(each) ? { ...each, phase: 'draining' as const, drainsUntil: NOW + 1 } : each));
          pods.push(...Array.from({ length: next.create }, () => pod({ phase: 'pending', load: undefined })));
        }
        assert.deepEqual(
          pods.map(({ phase, revision }) => `${phase} ${revision}`),
          Array.from({ length: it.replicas }, () => 'ready new'),
        );
      }),
      { numRuns: 500 },
    );
  });
});
