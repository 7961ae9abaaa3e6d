import assert from 'node:assert/strict';
import { poolResourceName, type ReplPoolSpecInput, replPoolSpecSchema } from '@replpool/protocol';
import { agentService, disruptionBudget, networkPolicy, serviceAccount } from '../src/specs/objects.ts';
import { objectName, type Pool, tlsSecretName } from '../src/specs/owned.ts';
import { agentPod } from '../src/specs/pod.ts';
import { revisionOf } from '../src/specs/revision.ts';
import { authoritySecret, routerTlsSecret } from '../src/specs/tls-secrets.ts';

const settings = { agentImage: 'registry.example/agent:1' };

function poolOf(spec: ReplPoolSpecInput = {}): Pool {
  return { name: 'data', namespace: 'team', uid: 'u-1', spec: replPoolSpecSchema.parse(spec) };
}

describe('the pod of a pool', () => {
  it("is the pool's own, restricted, and without a token", () => {
    const { metadata, spec } = agentPod(poolOf(), 'r1', settings);
    assert.equal(metadata?.ownerReferences?.[0]?.uid, 'u-1');
    assert.equal(spec?.automountServiceAccountToken, false);
    assert.equal(spec?.securityContext?.runAsNonRoot, true);
    const [container] = spec?.containers ?? [];
    assert.deepEqual(container?.securityContext, {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
  });

  it("has the pool's image, else the release's", () => {
    const image = (pool: Pool) => agentPod(pool, 'r1', settings).spec?.containers[0]?.image;
    assert.equal(image(poolOf()), settings.agentImage);
    assert.equal(image(poolOf({ runtime: { image: 'own:2' } })), 'own:2');
  });

  it('cannot be given labels that others select by', () => {
    const labels = { 'app.kubernetes.io/component': 'router', team: 'a' };
    const { metadata } = agentPod(poolOf({ podTemplate: { labels } }), 'r1', settings);
    assert.equal(metadata?.labels?.['app.kubernetes.io/component'], 'agent');
    assert.equal(metadata?.labels?.team, 'a');
  });

  it('leaves a lost node after 30 s where the pool says nothing else of it', () => {
    const seconds = (tolerations: object[]) =>
      agentPod(poolOf({ podTemplate: { tolerations } }), 'r1', settings).spec?.tolerations?.map(
        ({ key, tolerationSeconds }) => [key, tolerationSeconds],
      );
    const [notReady, unreachable] = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'];
    assert.deepEqual(seconds([{ key: 'dedicated', operator: 'Exists', effect: 'NoSchedule' }]), [
      ['dedicated', undefined],
      [notReady, 30],
      [unreachable, 30],
    ]);
    assert.deepEqual(seconds([{ key: unreachable, operator: 'Exists', tolerationSeconds: 600 }]), [
      [unreachable, 600],
      [notReady, 30],
    ]);
    assert.deepEqual(seconds([{ operator: 'Exists' }]), [[undefined, undefined]]);
  });

  it('has time to drain before it is killed', () => {
    const { spec } = agentPod(poolOf({ update: { drainSeconds: 600 } }), 'r1', settings);
    assert.ok((spec?.terminationGracePeriodSeconds ?? 0) > 600);
  });
});

describe('the revision of a pool', () => {
  const revision = (spec: ReplPoolSpecInput = {}) => revisionOf(poolOf(spec), settings);

  it('changes with what a pod or its agent is made from', () => {
    const changes: ReplPoolSpecInput[] = [
      { runtime: { preload: ['numpy'] } },
      { runtime: { env: [{ name: 'A', value: '1' }] } },
      { sessions: { limits: { memory: '1Gi' } } },
      { templates: [{ name: 'small' }] },
      { podTemplate: { nodeSelector: { disk: 'ssd' } } },
      { podTemplate: { labels: { a: 'b' } } },
      { podTemplate: { annotations: { a: 'b' } } },
      // The pod's grace.
      { update: { drainSeconds: 600 } },
    ];
    const seen = new Set([revision(), ...changes.map(revision)]);
    assert.equal(seen.size, changes.length + 1);
  });

  it('stays with what only concerns how many pods there are and how they are replaced', () => {
    for (const spec of [
      { replicas: 7 },
      { paused: true },
      { update: { maxSurge: 3, maxUnavailable: 2 } },
      { autoscaling: { maxReplicas: 9 } },
    ]) {
      assert.equal(revision(spec), revision());
    }
  });

  it('does not depend on the order of fields', () => {
    const one = { podTemplate: { nodeSelector: { a: '1', b: '2' } } };
    const other = { podTemplate: { nodeSelector: { b: '2', a: '1' } } };
    assert.equal(revision(one), revision(other));
  });
});

describe('the disruption budget of a pool', () => {
  const minAvailable = (replicas: number, spec: ReplPoolSpecInput = {}) =>
    disruptionBudget(poolOf(spec), replicas).spec?.minAvailable;

  it('spares all pods that are wanted now but as many as may be missing, whatever spec.replicas says', () => {
    const autoscaling = { maxReplicas: 20 };
    assert.equal(minAvailable(10, { autoscaling, update: { maxUnavailable: 2 } }), 8);
    assert.equal(minAvailable(3, { autoscaling, replicas: 10 }), 2);
    assert.equal(minAvailable(0), 0);
  });

  it('never spares all of them, or a node could not be drained', () => {
    assert.equal(minAvailable(3, { update: { maxUnavailable: 0, maxSurge: 1 } }), 2);
    assert.equal(minAvailable(1), 0);
  });
});

describe('the names of what a pool has', () => {
  it("are none of a release's, whatever both are called", () => {
    const release = { namespace: 'team', release: 'replpool' };
    const ofRelease = [routerTlsSecret(release), authoritySecret(release)].map(({ metadata }) => metadata.name);
    for (const name of ['router', 'operator', 'ca', 'router-tls']) {
      const pool = { ...poolOf(), name };
      for (const own of [objectName(pool), tlsSecretName(pool)]) {
        assert.ok(![...ofRelease, 'replpool-router', 'replpool-operator', 'replpool-ca'].includes(own), own);
      }
    }
  });

  it('fit into a Service for the longest name that a pool may have', () => {
    const name = 'x'.repeat(49);
    assert.ok(poolResourceName.safeParse(name).success && !poolResourceName.safeParse(`${name}x`).success);
    for (const { metadata } of [agentService, serviceAccount].map((spec) => spec({ ...poolOf(), name }))) {
      assert.equal(metadata?.name?.length, 63);
    }
  });
});

describe('the network policy of a pool', () => {
  const egress = (spec: ReplPoolSpecInput) => networkPolicy(poolOf(spec), 'replpool-system').spec.egress;

  it('lets in routers and the operator of the release alone, but for metrics', () => {
    const [agents] = networkPolicy(poolOf(), 'replpool-system').spec.ingress;
    assert.deepEqual(
      agents?.from?.map((peer) => peer.namespaceSelector?.matchLabels),
      [{ 'kubernetes.io/metadata.name': 'replpool-system' }, { 'kubernetes.io/metadata.name': 'replpool-system' }],
    );
  });

  it('lets out to names alone, to what the rules say, or to all', () => {
    assert.equal(egress({})?.length, 1);
    assert.deepEqual(
      egress({})?.[0]?.to,
      [{ namespaceSelector: {} }],
      'names of the cluster: a resolver outside is a tunnel',
    );
    const rules = [{ cidr: '10.0.0.0/8', ports: [443] }];
    assert.deepEqual(egress({ network: { egress: 'Rules', rules } })?.[1], {
      to: [{ ipBlock: { cidr: '10.0.0.0/8' } }],
      ports: [{ protocol: 'TCP', port: 443 }],
    });
    assert.deepEqual(egress({ network: { egress: 'Allow' } }), [{}]);
  });

  it('lets requirements be fetched, from the index of the pool as from the default one', () => {
    const runtime = { requirements: ['numpy'] };
    assert.deepEqual(egress({ runtime }), [{}]);
    assert.deepEqual(egress({ runtime, network: { packageIndex: 'https://index.example' } }), [{}]);
    assert.equal(egress({ network: { packageIndex: 'https://index.example' } })?.length, 1);
  });
});
