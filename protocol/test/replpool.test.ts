import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { parse as parseYaml } from 'yaml';
import { defaultLimits, limitAbovePool, type ReplPoolInput, replPoolSchema } from '../src/index.ts';

const minimal = { apiVersion: 'replpool.dev/v1alpha1', kind: 'ReplPool', metadata: { name: 'data' } } as const;

/** The example of the design, section 9. */
const example: ReplPoolInput = {
  ...minimal,
  spec: {
    replicas: 2,
    autoscaling: { minReplicas: 1, maxReplicas: 20, targetFreeSessions: 8, scaleDownDelaySeconds: 300 },
    runtime: { language: 'python', requirements: ['numpy', 'pandas'], preload: ['numpy', 'pandas'] },
    templates: [{ name: 'small', preload: [], limits: { memory: '256Mi' } }],
    sessions: { maxPerPod: 32, minIdle: 4, onCrash: 'Recover', limits: { memory: '512Mi', cpu: '1', disk: '1Gi' } },
    checkpoints: { store: { persistentVolumeClaim: { claimName: 'ckpt' } }, onDrain: 'Move' },
    isolation: { level: 'Baseline', cgroups: 'Delegate', runtimeClassName: '' },
    network: { egress: 'Deny', packageIndex: '' },
    update: { maxUnavailable: 1, maxSurge: 1, drainSeconds: 120 },
    paused: false,
    podTemplate: { nodeSelector: { disk: 'ssd' }, affinity: { nodeAffinity: {} } },
  },
};

function fieldsOf(spec: unknown): string[] {
  const result = replPoolSchema.safeParse({ ...minimal, spec });
  return result.success ? [] : result.error.issues.map((issue) => issue.path.join('.'));
}

describe('a ReplPool', () => {
  it('needs no more than a name, and has every default then', () => {
    const { spec } = replPoolSchema.parse(minimal);
    assert.equal(spec.replicas, 1);
    assert.deepEqual(spec.sessions.limits, defaultLimits);
    assert.equal(spec.sessions.minIdle, 4);
    assert.equal(spec.runtime.language, 'python');
    assert.deepEqual(spec.isolation, { level: 'None', runtimeClassName: '' });
    assert.equal(spec.update.drainSeconds, 120);
  });

  it('as in the design is accepted', () => {
    assert.equal(replPoolSchema.parse(example).spec.templates[0]?.limits?.memory, '256Mi');
  });

  it('as the API server gives it back, with metadata of its own, is accepted', () => {
    const metadata = { name: 'data', uid: 'u', managedFields: [], creationTimestamp: '2026-01-01T00:00:00Z' };
    assert.equal(replPoolSchema.safeParse({ ...minimal, metadata }).success, true);
  });

  const examples = new URL('../../examples/', import.meta.url);
  for (const name of readdirSync(examples).filter((it) => it.endsWith('.yaml'))) {
    it(`of examples/${name} is accepted`, () => {
      replPoolSchema.parse(parseYaml(readFileSync(new URL(name, examples), 'utf8')));
    });
  }

  it('has rules for networks of both families, and labels and annotations of others', () => {
    const cidrs = ['10.0.0.0/8', '0.0.0.0/0', '255.255.255.255/32', '::/0', '2001:db8::/32', '1:2:3:4:5:6:7:8/128'];
    const rules = [...cidrs, 'fe80::1:2/64', '1:2:3:4:5:6:7::/112', '::2:3:4:5:6:7:8/64'].map((cidr) => ({ cidr }));
    const marks = { 'example.org/replpool.dev': 'x', team: 'a' };
    assert.deepEqual(
      fieldsOf({ network: { egress: 'Rules', rules }, podTemplate: { labels: marks, annotations: marks } }),
      [],
    );
  });

  it('has variables from whatever Secrets and ConfigMaps may be called, and their keys', () => {
    const names = ['a', 'kube-root-ca.crt', '0.x-1.y', 'x'.repeat(253)];
    const keys = ['a', '.netrc', 'tls.crt', 'a..b', '_', 'UPPER-case'];
    const env = keys.map((key) => ({ name: 'A', valueFrom: { secretKeyRef: { name: 'a', key } } }));
    assert.deepEqual(fieldsOf({ runtime: { env, envFrom: names.map((name) => ({ configMapRef: { name } })) } }), []);
  });

  const refused: [string, unknown, string][] = [
    [
      'minReplicas above maxReplicas',
      { autoscaling: { minReplicas: 3, maxReplicas: 2 } },
      'spec.autoscaling.minReplicas',
    ],
    ['minIdle above maxPerPod', { sessions: { minIdle: 5, maxPerPod: 4 } }, 'spec.sessions.minIdle'],
    ['two stores', { checkpoints: { store: { emptyDir: {}, s3: { bucket: 'abc' } } } }, 'spec.checkpoints.store.s3'],
    ['rules without egress: Rules', { network: { rules: [{ cidr: '10.0.0.0/8' }] } }, 'spec.network.rules'],
    ['an update that can never go on', { update: { maxSurge: 0, maxUnavailable: 0 } }, 'spec.update.maxUnavailable'],
    ...[
      'foo',
      '10.0.0.0',
      '10.0.0.0/33',
      '256.0.0.0/8',
      '::/129',
      '2001:db8/32',
      '1::2::/64',
      '::1:2:3:4:5:6:7:8/64',
    ].map((cidr): [string, unknown, string] => [
      `the network ${cidr}`,
      { network: { egress: 'Rules', rules: [{ cidr }] } },
      'spec.network.rules.0.cidr',
    ]),
    [
      'an order to drain for every pod',
      { podTemplate: { annotations: { 'replpool.dev/drain-until': 'x' } } },
      'spec.podTemplate.annotations',
    ],
    ['another pool for its pods', { podTemplate: { labels: { 'replpool.dev/pool': 'b' } } }, 'spec.podTemplate.labels'],
    [
      'a Secret whose name is a path',
      { runtime: { envFrom: [{ secretRef: { name: '../../../usr/bin' } }] } },
      'spec.runtime.envFrom.0.secretRef.name',
    ],
    ...['..', '..data', 'a/b', ''].map((key): [string, unknown, string] => [
      `the key '${key}' of a ConfigMap`,
      { runtime: { env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'a', key } } }] } },
      'spec.runtime.env.0.valueFrom.configMapKeyRef.key',
    ]),
    ['two templates of one name', { templates: [{ name: 'a' }, { name: 'a' }] }, 'spec.templates'],
    ['a privileged pod', { podTemplate: { securityContext: {} } }, 'spec.podTemplate'],
    ['an image in the pod template', { podTemplate: { image: 'x' } }, 'spec.podTemplate'],
    [
      'a default above the maximum',
      { sessions: { limits: { executionSeconds: 60, maxExecutionSeconds: 30 } } },
      'spec.sessions.limits.executionSeconds',
    ],
  ];
  for (const [name, spec, field] of refused) {
    it(`is refused with ${name}, and the field named`, () => assert.deepEqual(fieldsOf(spec), [field]));
  }
});

describe("a session's limits", () => {
  it("may be at most the pool's, in whatever unit", () => {
    assert.equal(limitAbovePool({ memory: '512Mi', cpu: '1000m', executionSeconds: 30 }, defaultLimits), undefined);
    assert.equal(limitAbovePool({ memory: 536_870_913 }, defaultLimits), 'memory');
    assert.equal(limitAbovePool({ cpu: '1001m' }, defaultLimits), 'cpu');
  });
});
