import assert from 'node:assert/strict';
import {
  agentPod,
  agentService,
  disruptionBudget,
  networkPolicy,
  objectName,
  type Pool,
  revisionOf,
  serviceAccount,
} from '@replpool/operator';
import { type ReplPoolSpecInput, replPoolSpecSchema } from '@replpool/protocol';
import { kubectl, kubectlWith } from './support/kubectl.ts';
import { Namespace } from './support/namespace.ts';

const settings = { agentImage: 'registry.example/agent:1' };

/** As much of a spec as a pod can be told. */
const everything: ReplPoolSpecInput = {
  runtime: {
    env: [
      { name: 'A', value: '1' },
      { name: 'B', valueFrom: { secretKeyRef: { name: 's', key: 'k', optional: true } } },
    ],
    envFrom: [{ prefix: 'P_', configMapRef: { name: 'c', optional: true } }],
  },
  network: { egress: 'Rules', rules: [{ cidr: '10.0.0.0/8', ports: [443] }] },
  podTemplate: {
    resources: { requests: { cpu: '100m', memory: '256Mi' }, limits: { memory: '1Gi' } },
    nodeSelector: { disk: 'ssd' },
    tolerations: [{ key: 'dedicated', operator: 'Equal', value: 'repl', effect: 'NoSchedule' }],
    affinity: { nodeAffinity: {} },
    labels: { team: 'a' },
    annotations: { note: 'b' },
    imagePullSecrets: [{ name: 'pull' }],
  },
};

describe('the objects of a pool', () => {
  for (const [what, input] of Object.entries({ 'an empty spec': {}, 'a full one': everything })) {
    it(`of ${what} are taken by the API server, strictly and where only restricted pods are`, async () => {
      await using namespace = await Namespace.create('objects');
      // An owner that is there, for the API server checks who may block its deletion.
      const uid = await kubectl('get', 'namespace', namespace.name, '-o', 'jsonpath={.metadata.uid}');
      const pool: Pool = { name: 'data', namespace: namespace.name, uid, spec: replPoolSpecSchema.parse(input) };
      await kubectl('create', 'serviceaccount', objectName(pool), '-n', namespace.name);
      const pod = agentPod(pool, revisionOf(pool, settings), settings);
      const objects = [
        serviceAccount(pool),
        agentService(pool),
        disruptionBudget(pool, 1),
        networkPolicy(pool, 'replpool-system'),
        { ...pod, metadata: { ...pod.metadata, name: 'data-1' } },
      ];
      for (const object of objects) {
        const verb = object.kind === 'ServiceAccount' ? 'apply' : 'create';
        const options = ['--dry-run=server', '--validate=strict', '-f', '-', '-o', 'json'];
        const answer = await kubectlWith(JSON.stringify(object), verb, ...options);
        const { kind } = JSON.parse(answer) as { kind: string };
        assert.equal(kind, object.kind);
      }
    });
  }
});
