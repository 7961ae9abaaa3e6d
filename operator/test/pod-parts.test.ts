import assert from 'node:assert/strict';
import type { V1Container, V1PodSpec } from '@kubernetes/client-node';
import { type AgentConfig, type ReplPoolSpecInput, replPoolSpecSchema } from '@replpool/protocol';
import { withDefaults } from '../src/pool/defaults.ts';
import { toPoolObject } from '../src/pool/pool-object.ts';
import { configMap } from '../src/specs/config-map.ts';
import type { Pool } from '../src/specs/owned.ts';
import { agentPod } from '../src/specs/pod.ts';

const settings = { agentImage: 'registry.example/agent:1' };

function poolOf(spec: ReplPoolSpecInput = {}): Pool {
  return { name: 'data', namespace: 'team', uid: 'u-1', spec: replPoolSpecSchema.parse(spec) };
}

function podSpec(spec: ReplPoolSpecInput = {}): V1PodSpec {
  return agentPod(poolOf(spec), 'r1', settings).spec ?? { containers: [] };
}

function agentOf({ containers }: V1PodSpec): V1Container {
  const agent = containers.find(({ name }) => name === 'agent');
  assert.ok(agent);
  return agent;
}

const initContainer = ({ initContainers = [] }: V1PodSpec, name: string) =>
  initContainers.find((container) => container.name === name);
const mountOf = ({ volumeMounts = [] }: V1Container, path: string) =>
  volumeMounts.find(({ mountPath }) => mountPath === path);
const volumeAt = (spec: V1PodSpec, path: string) =>
  spec.volumes?.find(({ name }) => name === mountOf(agentOf(spec), path)?.name);
const configOf = (spec: ReplPoolSpecInput = {}) =>
  JSON.parse(configMap(poolOf(spec), 'r1').data['agent.json']) as AgentConfig;

describe('the cgroups of a pod', () => {
  it('are delegated by a sidecar of the release’s own image, root with one right, and no other container has more', () => {
    const spec = podSpec({ runtime: { image: 'own:2' }, isolation: { cgroups: 'Delegate' } });
    const delegate = initContainer(spec, 'delegate');
    assert.equal(delegate?.restartPolicy, 'Always');
    assert.equal(delegate?.image, settings.agentImage);
    assert.equal(delegate?.securityContext?.runAsUser, 0);
    assert.deepEqual(delegate?.securityContext?.capabilities, { drop: ['ALL'], add: ['CHOWN'] });
    assert.equal(delegate?.securityContext?.privileged, undefined);
    assert.deepEqual(agentOf(spec).securityContext, agentOf(podSpec()).securityContext);
  });

  it('are asked for where the agent can replace nothing', () => {
    const spec = podSpec({ isolation: { cgroups: 'Delegate' } });
    const { delegation } = configOf({ isolation: { cgroups: 'Delegate' } });
    assert.equal(mountOf(agentOf(spec), delegation ?? '')?.readOnly, true);
    assert.ok(initContainer(spec, 'delegate')?.command?.includes(delegation ?? ''));
  });

  it('are given to the pool’s own user, who may make as many as its sessions need', () => {
    const spec = podSpec({ isolation: { cgroups: 'Delegate' }, sessions: { maxPerPod: 10 } });
    const [user, cgroups] = initContainer(spec, 'delegate')?.command?.slice(-2) ?? [];
    assert.equal(user, String(spec.securityContext?.runAsUser));
    assert.equal(cgroups, '104');
  });

  it('leave a pool Guaranteed that is', () => {
    const resources = { requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: '1', memory: '1Gi' } };
    const { initContainers = [] } = podSpec({ isolation: { cgroups: 'Delegate' }, podTemplate: { resources } });
    for (const { resources: own } of initContainers) assert.deepEqual(own?.requests, own?.limits);
  });

  it('are the agent’s own where it is privileged, which it is for no other value', () => {
    const privileged = (cgroups?: 'Delegate' | 'None' | 'Runtime' | 'Privileged') =>
      agentOf(podSpec({ isolation: { cgroups } })).securityContext?.privileged ?? false;
    assert.equal(privileged('Privileged'), true);
    for (const other of [undefined, 'Delegate', 'None', 'Runtime'] as const) assert.equal(privileged(other), false);
    assert.deepEqual(podSpec({ isolation: { cgroups: 'Privileged' } }).initContainers, []);
  });

  it('show nobody the node’s where they are not delegated', () => {
    for (const cgroups of ['None', 'Privileged', undefined] as const) {
      const { volumes = [] } = podSpec({ isolation: { cgroups } });
      assert.ok(volumes.every(({ hostPath }) => hostPath === undefined));
    }
  });

  it('are what the release says where the pool says nothing', () => {
    const pool = (isolation: object) => {
      const metadata = { name: 'data', namespace: 'team', uid: 'u-1', resourceVersion: '1', generation: 1 };
      const object = { apiVersion: 'replpool.dev/v1alpha1', kind: 'ReplPool', metadata, spec: { isolation } };
      return toPoolObject(object);
    };
    const cgroups = (own: object, release: 'Delegate' | undefined) =>
      withDefaults(pool(own), { cgroups: release }).spec.isolation.cgroups;
    assert.equal(cgroups({}, 'Delegate'), 'Delegate');
    assert.equal(cgroups({ cgroups: 'None' }, 'Delegate'), 'None');
    assert.equal(cgroups({}, undefined), undefined);
  });
});

describe('the user of a pod', () => {
  const userOf = (namespace: string, name: string) => {
    const { spec } = agentPod({ ...poolOf(), namespace, name }, 'r1', settings);
    const { runAsUser, runAsGroup, fsGroup } = spec?.securityContext ?? {};
    assert.ok(runAsUser === runAsGroup && runAsUser === fsGroup);
    return runAsUser ?? 0;
  };

  it('is another one for each pool, whatever is like in their names', () => {
    const users = [userOf('team', 'data'), userOf('team', 'data-b'), userOf('team-data', 'b'), userOf('other', 'data')];
    assert.equal(new Set(users).size, users.length);
    for (const user of users) assert.ok(user >= 1_000_000_000 && user < 2_000_000_000, `${user}`);
  });

  it('stays the same, for files on a volume have it: this number is not to change', () => {
    assert.equal(userOf('team', 'data'), 1_915_195_574);
    assert.equal(
      agentPod({ ...poolOf(), uid: 'made anew' }, 'r2', settings).spec?.securityContext?.runAsUser,
      1_915_195_574,
    );
  });

  it('has a name and a home that it can write to, which no /etc/passwd says', () => {
    const variables = (cgroups: 'None' | 'Privileged') =>
      Object.fromEntries(
        agentOf(podSpec({ isolation: { cgroups } })).env?.map(({ name, value }) => [name, value]) ?? [],
      );
    const { HOME = '', USER, LOGNAME } = variables('None');
    assert.deepEqual([USER, LOGNAME], ['replpool', 'replpool']);
    assert.ok(mountOf(agentOf(podSpec()), HOME));
    assert.equal(variables('Privileged').USER, 'root');
  });
});

describe('the requirements of a pod', () => {
  const some: ReplPoolSpecInput = {
    runtime: { image: 'own:2', requirements: ['numpy<3', 'x @ https://example.org/$(A)/$B.whl'] },
    network: { packageIndex: 'https://index.example/simple' },
  };

  it('are installed before the agent starts, by the pool’s image, with no more rights than the agent', () => {
    const spec = podSpec(some);
    const installer = initContainer(spec, 'requirements');
    assert.equal(installer?.image, 'own:2');
    assert.deepEqual(installer?.securityContext, agentOf(spec).securityContext);
    assert.equal(installer?.restartPolicy, undefined);
    assert.equal(installer?.terminationMessagePolicy, 'FallbackToLogsOnError');
  });

  it('come to pip as they are written, though Kubernetes expands what looks like a variable', () => {
    const [, , , index, ...requirements] = initContainer(podSpec(some), 'requirements')?.command ?? [];
    assert.equal(index, 'https://index.example/simple');
    assert.deepEqual(requirements, ['numpy<3', 'x @ https://example.org/$$(A)/$$B.whl']);
  });

  it('are in the interpreter of the agent, which cannot change them', () => {
    const { python } = configOf(some);
    const mount = agentOf(podSpec(some)).volumeMounts?.find(({ mountPath }) => python.startsWith(`${mountPath}/`));
    assert.equal(mount?.readOnly, true);
    assert.notEqual(configOf().python, python);
  });

  it('cost nothing where there are none', () => {
    assert.deepEqual(podSpec().initContainers, []);
  });
});

describe('the environment of sessions', () => {
  const some: ReplPoolSpecInput = {
    runtime: {
      env: [
        { name: 'A', value: 'plain' },
        { name: 'B', valueFrom: { secretKeyRef: { name: 'db', key: 'password' } } },
      ],
      envFrom: [{ configMapRef: { name: 'all' } }, { secretRef: { name: 'some' } }],
    },
    templates: [
      { name: 't', env: [{ name: 'C', valueFrom: { secretKeyRef: { name: 'db', key: 'user', optional: true } } }] },
    ],
  };

  it('is not the agent’s own', () => {
    const agent = agentOf(podSpec(some));
    assert.deepEqual(
      agent.env?.map(({ name }) => name),
      ['POD_NAME', 'USER', 'LOGNAME', 'HOME'],
    );
    assert.equal(agent.envFrom, undefined);
  });

  it('comes as volumes: of a key that key alone, of an object all of it', () => {
    const spec = podSpec(some);
    const { environment } = configOf(some);
    assert.deepEqual(volumeAt(spec, `${environment}/secrets/db`)?.secret, {
      ...{ secretName: 'db', optional: true, defaultMode: 0o440 },
      items: [
        { key: 'password', path: 'password' },
        { key: 'user', path: 'user' },
      ],
    });
    const all = volumeAt(spec, `${environment}/configMaps/all`)?.configMap;
    assert.deepEqual(all, { name: 'all', optional: true, defaultMode: 0o440 });
    assert.equal(volumeAt(spec, `${environment}/secrets/some`)?.secret?.items, undefined);
  });
});

describe('the checkpoints of a pod', () => {
  const path = '/var/lib/replpool/checkpoints';

  it('are in the claim that the pool names, else in a folder that ends with the pod', () => {
    const store = { persistentVolumeClaim: { claimName: 'ckpt' } };
    assert.equal(volumeAt(podSpec({ checkpoints: { store } }), path)?.persistentVolumeClaim?.claimName, 'ckpt');
    assert.deepEqual(volumeAt(podSpec(), path)?.emptyDir, {});
  });
});

describe('what a pool says of its pods', () => {
  it('is in them as it is written', () => {
    const affinity = { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] } } };
    const podTemplate = {
      resources: { requests: { cpu: '100m' }, limits: { memory: '1Gi' } },
      nodeSelector: { disk: 'ssd' },
      affinity,
      priorityClassName: 'high',
      annotations: { note: 'b' },
      imagePullSecrets: [{ name: 'pull' }],
    };
    const pod = agentPod(poolOf({ podTemplate, isolation: { runtimeClassName: 'kata' } }), 'r1', settings);
    const { spec } = pod;
    assert.ok(spec);
    assert.deepEqual(agentOf(spec).resources, podTemplate.resources);
    assert.deepEqual(spec.nodeSelector, podTemplate.nodeSelector);
    assert.deepEqual(spec.affinity, affinity);
    assert.equal(spec.priorityClassName, 'high');
    assert.equal(spec.runtimeClassName, 'kata');
    assert.deepEqual(spec.imagePullSecrets, podTemplate.imagePullSecrets);
    assert.deepEqual(pod.metadata?.annotations, podTemplate.annotations);
  });

  it('does not keep them from being spread over nodes', () => {
    const [spread] = podSpec().topologySpreadConstraints ?? [];
    assert.equal(spread?.topologyKey, 'kubernetes.io/hostname');
    assert.deepEqual(spread?.labelSelector?.matchLabels?.['replpool.dev/pool'], 'data');
    assert.equal(spread?.whenUnsatisfiable, 'ScheduleAnyway', 'and a cluster of one node has its pool');
  });
});
