/** A spec that must be refused, and the field that the refusal names. */
export interface WrongSpec {
  readonly wrong: string;
  readonly spec: unknown;
  readonly field: string;
}

const wrong = (text: string, field: string, spec: unknown): WrongSpec => ({ wrong: text, field, spec });

export const wrongSpecs: readonly WrongSpec[] = [
  wrong('an unknown field', 'replica', { replica: 1 }),
  wrong('a field in the wrong case', 'Replicas', { Replicas: 1 }),
  wrong('negative replicas', 'replicas', { replicas: -1 }),
  wrong('too many replicas', 'replicas', { replicas: 10_001 }),
  wrong('replicas as text', 'replicas', { replicas: '2' }),
  wrong('replicas with a fraction', 'replicas', { replicas: 1.5 }),
  wrong('autoscaling without a maximum', 'maxReplicas', { autoscaling: { minReplicas: 1 } }),
  wrong('autoscaling with the minimum above the maximum', 'minReplicas', {
    autoscaling: { minReplicas: 3, maxReplicas: 2 },
  }),
  wrong('autoscaling to nothing', 'maxReplicas', { autoscaling: { maxReplicas: 0 } }),
  wrong('a negative delay', 'scaleDownDelaySeconds', { autoscaling: { maxReplicas: 2, scaleDownDelaySeconds: -1 } }),
  wrong('an unknown field of autoscaling', 'metric', { autoscaling: { maxReplicas: 2, metric: 'cpu' } }),
  wrong('an unknown language', 'language', { runtime: { language: 'ruby' } }),
  wrong('requirements that are no list', 'requirements', { runtime: { requirements: 'numpy' } }),
  wrong('an empty requirement', 'requirements', { runtime: { requirements: [''] } }),
  wrong('a preload that is no module', 'preload', { runtime: { preload: ['numpy; import os'] } }),
  wrong('a preload with a path', 'preload', { runtime: { preload: ['../etc'] } }),
  wrong('warm-up code that is too long', 'warmupCode', { runtime: { warmupCode: 'x'.repeat(65_537) } }),
  wrong('a variable with a wrong name', 'env', { runtime: { env: [{ name: '1A', value: 'x' }] } }),
  wrong('a variable without a name', 'name', { runtime: { env: [{ value: 'x' }] } }),
  wrong('a variable from a field of the pod', 'fieldRef', {
    runtime: { env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }] },
  }),
  wrong('a Secret whose name is a path', 'name', {
    runtime: { envFrom: [{ secretRef: { name: '../../../usr/bin' } }] },
  }),
  wrong('a ConfigMap whose name has an empty part', 'name', {
    runtime: { env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'a..b', key: 'k' } } }] },
  }),
  ...['..', '..data', 'a/b', ''].map((key) =>
    wrong(`a key '${key}', which is no file's name`, 'key', {
      runtime: { env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'a', key } } }] },
    }),
  ),
  wrong('a template without a name', 'name', { templates: [{ preload: [] }] }),
  wrong('a template with a wrong name', 'name', { templates: [{ name: 'Small One' }] }),
  wrong('two templates of one name', 'templates', { templates: [{ name: 'a' }, { name: 'a' }] }),
  wrong('a template with an unknown limit', 'gpu', { templates: [{ name: 'a', limits: { gpu: 1 } }] }),
  wrong('no slots', 'maxPerPod', { sessions: { maxPerPod: 0 } }),
  wrong('more warm forks than slots', 'minIdle', { sessions: { maxPerPod: 2, minIdle: 3 } }),
  wrong('no idle time', 'idleTimeoutSeconds', { sessions: { idleTimeoutSeconds: 0 } }),
  wrong('no life time', 'maxLifetimeSeconds', { sessions: { maxLifetimeSeconds: 0 } }),
  wrong('an unknown way to recover', 'onCrash', { sessions: { onCrash: 'Restart' } }),
  wrong('overcommit below one', 'overcommit', { sessions: { overcommit: 0.5 } }),
  wrong('a negative queue', 'queueLength', { sessions: { queueLength: -1 } }),
  wrong('too many snapshots', 'keepSnapshots', { sessions: { keepSnapshots: 1001 } }),
  wrong('no grace', 'interruptGraceSeconds', { sessions: { interruptGraceSeconds: 0 } }),
  wrong('memory that is no quantity', 'memory', { sessions: { limits: { memory: 'much' } } }),
  wrong('negative memory', 'memory', { sessions: { limits: { memory: '-1Mi' } } }),
  wrong('cpu that is no quantity', 'cpu', { sessions: { limits: { cpu: 'two' } } }),
  wrong('a default time above the highest', 'executionSeconds', {
    sessions: { limits: { executionSeconds: 60, maxExecutionSeconds: 30 } },
  }),
  wrong('no time', 'executionSeconds', { sessions: { limits: { executionSeconds: 0 } } }),
  wrong('too few file descriptors', 'fileDescriptors', { sessions: { limits: { fileDescriptors: 3 } } }),
  wrong('no processes', 'processes', { sessions: { limits: { processes: 0 } } }),
  wrong('no output', 'outputBytes', { sessions: { limits: { outputBytes: 0 } } }),
  wrong('two stores', 'store', {
    checkpoints: { store: { emptyDir: {}, persistentVolumeClaim: { claimName: 'ckpt' } } },
  }),
  wrong('a store of no kind', 'store', { checkpoints: { store: {} } }),
  wrong('a bucket with too short a name', 'bucket', { checkpoints: { store: { s3: { bucket: 'b' } } } }),
  wrong('a claim without a name', 'claimName', { checkpoints: { store: { persistentVolumeClaim: {} } } }),
  wrong('no checkpoint to keep', 'keep', { checkpoints: { keep: 0 } }),
  wrong('an unknown way to drain', 'onDrain', { checkpoints: { onDrain: 'Wait' } }),
  wrong('an unknown isolation level', 'level', { isolation: { level: 'Paranoid' } }),
  wrong('an unknown way to cgroups', 'cgroups', { isolation: { cgroups: 'V2' } }),
  wrong('an unknown egress', 'egress', { network: { egress: 'deny' } }),
  wrong('rules that nothing reads', 'rules', { network: { egress: 'Deny', rules: [{ cidr: '10.0.0.0/8' }] } }),
  ...['foo', '10.0.0.0', '10.0.0.0/33', '300.0.0.0/8', '2001:db8/32', '::/129'].map((cidr) =>
    wrong(`a rule for ${cidr}, which is no network`, 'cidr', { network: { egress: 'Rules', rules: [{ cidr }] } }),
  ),
  wrong('a rule for no port', 'ports', { network: { egress: 'Rules', rules: [{ cidr: '10.0.0.0/8', ports: [0] }] } }),
  wrong('an update that can never begin', 'maxUnavailable', { update: { maxUnavailable: 0, maxSurge: 0 } }),
  wrong('a drain without an end', 'drainSeconds', { update: { drainSeconds: 86_401 } }),
  wrong('paused as text', 'paused', { paused: 'yes' }),
  wrong('an image for the pod', 'containers', { podTemplate: { containers: [{ name: 'a', image: 'evil' }] } }),
  wrong('a volume for the pod', 'volumes', { podTemplate: { volumes: [{ name: 'a', hostPath: { path: '/' } }] } }),
  wrong('a security context for the pod', 'securityContext', { podTemplate: { securityContext: { runAsUser: 0 } } }),
  wrong('an order to drain for every pod', 'annotations', {
    podTemplate: { annotations: { 'replpool.dev/drain-until': '2026-01-01T00:00:00Z' } },
  }),
  wrong('another pool for the pod', 'labels', { podTemplate: { labels: { 'replpool.dev/pool': 'other' } } }),
  wrong('host network for the pod', 'hostNetwork', { podTemplate: { hostNetwork: true } }),
  wrong('an unknown effect of a toleration', 'effect', { podTemplate: { tolerations: [{ effect: 'Never' }] } }),
];
