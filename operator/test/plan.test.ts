import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Plan, plan, type Wanted } from '../src/pool/plan.ts';
import type { PodView } from '../src/pool/pod-view.ts';

const NOW = 1_000_000;
let made = 0;

const loadOf = (sessions: number, busy = 0, draining = false) => ({ sessions, busy, warm: 0, draining });

function pod(view: Partial<PodView> = {}): PodView {
  made += 1;
  const name = `pool-${made}`;
  return {
    name,
    uid: name,
    revision: 'new',
    createdAt: made,
    phase: 'ready',
    load: loadOf(0),
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
    const busy = pod({ load: loadOf(1, 1) });
    const unknown = pod({ load: undefined });
    const full = pod({ load: loadOf(30) });
    assert.deepEqual(names(plan([busy, unknown, full], wanted, NOW).drain), [full.name]);
    assert.deepEqual(names(plan([busy, unknown], { ...wanted, replicas: 1 }, NOW).drain), [busy.name]);
  });

  it('waits for agents that may still say that they are idle or busy, and takes meanwhile only those who serve nobody', () => {
    const awaited = pod({ load: undefined, isAwaited: true });
    const before = pod({ load: loadOf(0), isAwaited: true });
    const used = pod({ load: loadOf(1) });
    const one = { ...wanted, replicas: 1 };
    assert.deepEqual(plan([awaited, before, used], one, NOW).drain, []);
    const idle = pod();
    assert.deepEqual(names(plan([awaited, used, idle], one, NOW).drain), [idle.name]);
    const pending = pod({ phase: 'pending', load: undefined, isAwaited: true });
    assert.deepEqual(names(plan([pending, awaited, used], one, NOW).delete), [pending.name]);
    const silent = [awaited, before].map((each) => ({ ...each, load: undefined, isAwaited: false }));
    assert.deepEqual(names(plan([...silent, used], one, NOW).drain), [used.name, silent[1]?.name]);
  });

  it('waits in an update for the old pods alone', () => {
    const old = pod({ revision: 'old', load: loadOf(1) });
    const starting = pod({ phase: 'unready', load: undefined, isAwaited: true });
    assert.deepEqual(names(plan([old, pod(), starting], wanted, NOW).drain), [old.name]);
    const unheard = pod({ revision: 'old', load: undefined, isAwaited: true });
    assert.deepEqual(plan([old, unheard, pod()], wanted, NOW).drain, []);
  });

  it('deletes a surplus pod that never served at once', () => {
    const pending = pod({ phase: 'pending', load: undefined });
    const { drain, delete: gone } = plan([pod(), pod(), pending], wanted, NOW);
    assert.deepEqual([drain, names(gone)], [[], [pending.name]]);
  });

  it('deletes a draining pod when its agent says that it is empty for good, or when its time is over, not before', () => {
    const empty = pod({ phase: 'draining', drainsUntil: NOW + 1, load: loadOf(0, 0, true) });
    const untold = pod({ phase: 'draining', drainsUntil: NOW + 1, load: loadOf(0) });
    const used = pod({ phase: 'draining', drainsUntil: NOW + 1, load: loadOf(1) });
    const silent = pod({ phase: 'draining', drainsUntil: NOW + 1, load: undefined });
    const late = pod({ phase: 'draining', drainsUntil: NOW, load: loadOf(1, 1) });
    const { delete: gone } = plan([pod(), pod(), empty, untold, used, silent, late], wanted, NOW);
    assert.deepEqual(names(gone), [empty.name, late.name]);
  });

  it('rolls a new revision: one more at first, then an old one drains for each that is ready', () => {
    const old = [pod({ revision: 'old' }), pod({ revision: 'old', load: loadOf(1, 1) })];
    const careful = { ...wanted, maxUnavailable: 0 };
    assert.deepEqual(plan(old, careful, NOW), { create: 1, drain: [], delete: [] } satisfies Plan);
    const next = plan([...old, pod()], careful, NOW);
    assert.deepEqual([next.create, names(next.drain)], [0, [old[0]?.name]]);
  });

  it('grows again at once while pods that were surplus drain still, and waits for those of old revisions', () => {
    const drains = (revision: string) =>
      Array.from({ length: 8 }, () =>
        pod({ revision, phase: 'draining', load: loadOf(1, 0, true), drainsUntil: NOW + 1 }),
      );
    const ten = { ...wanted, replicas: 10 };
    assert.equal(plan([pod(), pod(), ...drains('new')], ten, NOW).create, 8);
    assert.equal(plan([pod(), pod(), ...drains('old')], ten, NOW).create, 1);
  });

  it('does not leave old pods that are not heard for as long as surplus ones drain', () => {
    const old = [pod({ revision: 'old', phase: 'unready', load: undefined })];
    const surplus = pod({ phase: 'draining', load: loadOf(1, 0, true), drainsUntil: NOW + 1 });
    assert.deepEqual(names(plan([...old, surplus], { ...wanted, replicas: 1 }, NOW).drain), names(old));
  });

  it('replaces old pods that never became ready, for the new template may mend them', () => {
    const stuck = pod({ revision: 'old', phase: 'pending', load: undefined });
    assert.deepEqual(names(plan([stuck, pod()], wanted, NOW).delete), [stuck.name]);
  });

  it('takes no ready pod in place of one that is not and may be busy: which is left over will show', () => {
    const idle = pod();
    const unheard = pod({ phase: 'unready', load: undefined });
    const busy = pod({ phase: 'unready', load: loadOf(1, 1) });
    const one = { ...wanted, replicas: 1 };
    for (const other of [unheard, busy]) {
      assert.deepEqual(plan([idle, other], one, NOW), { create: 0, drain: [], delete: [] } satisfies Plan);
    }
    assert.deepEqual(names(plan([idle, pod({ phase: 'unready', name: 'starting' })], one, NOW).drain), ['starting']);
  });

  it('replaces pods on a lost node once they are being deleted, though they never end', () => {
    const stuck = pod({ phase: 'terminating', load: undefined });
    assert.deepEqual(plan([pod(), stuck], wanted, NOW), { create: 1, drain: [], delete: [] } satisfies Plan);
    assert.deepEqual(plan([pod(), pod(), stuck], wanted, NOW), { create: 0, drain: [], delete: [] } satisfies Plan);
  });

  it('does not drain all old pods at once when none of them is ready for a moment', () => {
    const old = Array.from({ length: 6 }, () => pod({ revision: 'old', phase: 'unready', load: undefined }));
    assert.equal(plan(old, { ...wanted, replicas: 6 }, NOW).drain.length, 1);
  });

  const anyLoad = fc
    .record({ sessions: fc.nat(40), busy: fc.nat(3), draining: fc.boolean() })
    .map(({ sessions, busy, draining }) => loadOf(sessions, Math.min(sessions, busy), draining));
  const anyPod = fc
    .record({
      revision: fc.constantFrom('old', 'new'),
      phase: fc.constantFrom('pending', 'unready', 'ready', 'draining', 'failed', 'terminating'),
      load: fc.option(anyLoad, { nil: undefined }),
      isAwaited: fc.boolean(),
      drainsUntil: fc.integer({ min: NOW - 5, max: NOW + 5 }),
    })
    // Where no agent runs, none says anything.
    .map((view) => pod({ ...(view as Partial<PodView>), ...(view.phase === 'pending' && { load: undefined }) }));
  const anyWanted = fc
    .record({ replicas: fc.nat(6), maxSurge: fc.nat(3), maxUnavailable: fc.nat(3) })
    .filter(({ maxSurge, maxUnavailable }) => maxSurge + maxUnavailable > 0)
    .map((it) => ({ ...it, revision: 'new' }));
  const always = (holds: (pods: readonly PodView[], it: Wanted, next: Plan) => void) =>
    fc.assert(
      fc.property(fc.array(anyPod, { maxLength: 12 }), anyWanted, (pods, it) => holds(pods, it, plan(pods, it, NOW))),
      { numRuns: 2000 },
    );
  const isLive = ({ phase }: PodView) => phase !== 'failed' && phase !== 'terminating';
  const isBusy = ({ load }: PodView) => load === undefined || load.busy > 0;

  it('never makes more pods than the surge allows, beside those of its revision that drain', () => {
    always((pods, it, { create }) => {
      const leaving = ({ phase, revision }: PodView) => phase === 'draining' && revision === it.revision;
      const counted = pods.filter((each) => isLive(each) && !leaving(each));
      assert.ok(create === 0 || counted.length + create <= it.replicas + it.maxSurge);
    });
  });

  it('never has fewer ready pods by its own doing than maxUnavailable allows', () => {
    always((pods, it, { drain, delete: gone }) => {
      const ready = pods.filter(({ phase }) => phase === 'ready');
      const left = ready.filter((each) => !drain.includes(each) && !gone.includes(each));
      assert.ok(left.length === ready.length || left.length >= it.replicas - it.maxUnavailable);
    });
  });

  it('never deletes a pod that may have a session before its drain is over', () => {
    always((_pods, _it, { delete: gone }) => {
      for (const { phase, load, drainsUntil = Number.POSITIVE_INFINITY } of gone) {
        const isEmpty = phase === 'failed' || phase === 'pending' || (load?.sessions === 0 && load.draining);
        assert.ok(isEmpty || (phase === 'draining' && drainsUntil <= NOW), `${phase} ${JSON.stringify(load)}`);
      }
    });
  });

  it('never drains a busy pod while a ready idle one of the same revision could go', () => {
    always((pods, _it, { drain }) => {
      for (const each of drain.filter(isBusy)) {
        // One that is not ready goes though it may be busy where every ready one is needed.
        if (each.phase === 'unready') continue;
        const spared = pods.filter(
          (other) =>
            other.phase === 'ready' && other.revision === each.revision && !isBusy(other) && !drain.includes(other),
        );
        assert.deepEqual(names(spared), []);
      }
    });
  });

  it('never drains a pod that may have a session while one of its revision may still say that it has none', () => {
    always((pods, _it, { drain }) => {
      for (const each of drain.filter(({ load, isAwaited }) => load?.sessions !== 0 || isAwaited)) {
        const awaited = pods.filter(
          ({ phase, revision, isAwaited }) =>
            (phase === 'ready' || phase === 'unready') && revision === each.revision && isAwaited,
        );
        assert.deepEqual(names(awaited), []);
      }
    });
  });

  it('never drains or deletes a pod twice, nor one that ends anyway', () => {
    always((_pods, _it, { drain, delete: gone }) => {
      assert.equal(new Set([...drain, ...gone]).size, drain.length + gone.length);
      for (const { phase } of drain) assert.ok(phase === 'ready' || phase === 'unready');
      for (const { phase } of gone) assert.ok(phase !== 'terminating' && phase !== 'ready' && phase !== 'unready');
    });
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
              each.phase === 'pending' || each.phase === 'unready'
                ? { ...each, phase: 'ready' as const, load: loadOf(1) }
                : each,
            )
            .map((each) => (each.phase === 'draining' ? { ...each, drainsUntil: NOW } : each))
            .map((each) => (drained.has(each) ? { ...each, phase: 'draining' as const, drainsUntil: NOW + 1 } : each))
            // And nobody is awaited for ever.
            .map((each) => ({ ...each, isAwaited: false }));
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
