import assert from 'node:assert/strict';
import {
  type AgentIsolation,
  type ReplPoolSpecInput,
  replPoolSpecSchema,
  replPoolStatusSchema,
} from '@replpool/protocol';
import { enforcedByAll } from '../src/pool/enforced.ts';
import type { PodView } from '../src/pool/pod-view.ts';
import { toPoolObject } from '../src/pool/pool-object.ts';
import { type PoolStatus, type StatusFacts, statusOf } from '../src/pool/status.ts';
import { withoutEffect } from '../src/pool/without-effect.ts';

const NOW = '2026-01-01T00:00:00Z';
const pod: PodView = {
  ...{ name: 'data-1', uid: 'u-1', revision: 'r1', createdAt: 0, phase: 'ready' },
  load: { sessions: 1, busy: 0, warm: 2, draining: false },
};
const facts: StatusFacts = {
  ...{ replicas: 3, revision: 'r1', acquired: {}, enforced: undefined },
  ...{ refused: undefined, failing: undefined, problems: [], atMaximum: false },
};

function status(spec: ReplPoolSpecInput, seen: Partial<StatusFacts> = {}, before: PoolStatus = {}): PoolStatus {
  const metadata = { name: 'data', namespace: 'team', uid: 'pool', resourceVersion: '1' };
  const told = statusOf(toPoolObject({ metadata, spec }), before, [pod], { ...facts, ...seen }, NOW);
  // What the API server would not take would be no status at all.
  return replPoolStatusSchema.parse(told);
}

const readyMessage = (spec: ReplPoolSpecInput): string =>
  status(spec).conditions?.find(({ type }) => type === 'Ready')?.message ?? '';

describe('the status of a pool says', () => {
  it('how many pods are wanted, which with autoscaling no field of the spec does', () => {
    const told = status({ autoscaling: { maxReplicas: 9 } }, { replicas: 7 });
    assert.deepEqual([told.desiredReplicas, told.replicas], [7, 1]);
  });

  it('what holds in all of its pods: the weakest of each', () => {
    const good: AgentIsolation = { effective: 'Hardened', cgroups: 'v2', missing: ['disk'] };
    const poor: AgentIsolation = { effective: 'Baseline', cgroups: 'rlimits', missing: ['cpu', 'disk'] };
    assert.deepEqual(enforcedByAll([good]), {
      isolation: 'Hardened',
      enforcement: { cgroups: 'v2', missing: ['disk'] },
    });
    const { isolation, enforcement } = status({}, { enforced: enforcedByAll([good, poor, good]) });
    assert.deepEqual([isolation, enforcement], ['Baseline', { cgroups: 'rlimits', missing: ['cpu', 'disk'] }]);
  });

  it('nothing of what holds before an agent did, and what was known where none is heard any more', () => {
    const asked = status({ isolation: { level: 'Strict' } });
    assert.deepEqual([asked.isolation, asked.enforcement], [undefined, undefined]);
    const known = { isolation: 'None', enforcement: { cgroups: 'none', missing: ['memory'] } } as const;
    const before: PoolStatus = { isolation: 'None', enforcement: { cgroups: 'none', missing: ['memory'] } };
    const later = status({}, { enforced: enforcedByAll([]) }, before);
    assert.deepEqual({ isolation: later.isolation, enforcement: later.enforcement }, known);
  });

  it('which fields have no effect, of a pool that is ready all the same', () => {
    const spec: ReplPoolSpecInput = {
      checkpoints: { store: { s3: { bucket: 'checkpoints' } }, onDrain: 'Kill' },
      sessions: { overcommit: 2, keepSnapshots: 2 },
    };
    assert.match(
      readyMessage(spec),
      /; without effect in this release: spec\.sessions\.overcommit, spec\.checkpoints\.store, spec\.checkpoints\.onDrain$/,
    );
    const one = status({ ...spec, replicas: 1 }, { replicas: 1 });
    assert.equal(one.conditions?.find(({ type }) => type === 'Ready')?.status, 'True');
  });

  it('no word of that where nobody asked for it', () => {
    assert.equal(readyMessage({}), '1 of 3 pods take sessions');
    assert.deepEqual(withoutEffect(replPoolSpecSchema.parse({ sessions: { maxPerPod: 8 }, checkpoints: {} })), []);
  });
});
