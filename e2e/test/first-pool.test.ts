import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { V1Pod } from '@kubernetes/client-node';
import { ApiClient } from '@replpool/kube';
import { runOperator } from '@replpool/operator';
import type { Execution, ReplPool, ReplPoolSpecInput, Session } from '@replpool/protocol';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { AgentClient, tlsOf } from './support/agent-client.ts';
import { apply } from './support/apply.ts';
import { kubeConfig } from './support/cluster.ts';
import { applyCrd } from './support/crd.ts';
import { image } from './support/images.ts';
import { kubectl } from './support/kubectl.ts';
import { Namespace } from './support/namespace.ts';

interface Pods {
  readonly items: readonly {
    readonly metadata: { readonly name: string; readonly uid: string; readonly deletionTimestamp?: string };
  }[];
}

describe('the operator', function () {
  this.timeout(300_000);
  let namespace: Namespace;
  const api = new ApiClient(kubeConfig);
  const stopped = new AbortController();
  let operator: Promise<void>;

  before(async () => {
    await applyCrd();
    const agentImage = await image('agent');
    namespace = await Namespace.create('pool');
    operator = runOperator(
      kubeConfig,
      {
        ...{ namespace: namespace.name, watchNamespace: namespace.name, release: 'e2e', instance: 'e2e' },
        ...{ agentImage, health: { host: '127.0.0.1', port: 0 } },
      },
      pino({ level: process.env.TEST_LOG ?? 'silent' }),
      new Registry(),
      stopped.signal,
    );
  });
  after(async () => {
    stopped.abort();
    await operator;
    api[Symbol.dispose]();
    await namespace[Symbol.asyncDispose]();
  });

  const applyPool = (spec: ReplPoolSpecInput) => {
    const named = { name: 'first', namespace: namespace.name };
    const object = { apiVersion: 'replpool.dev/v1alpha1', kind: 'ReplPool', metadata: named, spec };
    return apply(namespace.name, object);
  };
  const pool = async () =>
    JSON.parse(await kubectl('get', 'rp', 'first', '-n', namespace.name, '-o', 'json')) as ReplPool;
  const pods = async () => {
    const { items } = JSON.parse(
      await kubectl('get', 'pods', '-l', 'replpool.dev/pool=first', '-n', namespace.name, '-o', 'json'),
    ) as Pods;
    return items.filter(({ metadata }) => metadata.deletionTimestamp === undefined).map(({ metadata }) => metadata);
  };
  /** Speaks to the agent of a pod as its router does. */
  const agentOf = async (name: string) => {
    const pod = JSON.parse(await kubectl('get', 'pod', name, '-n', namespace.name, '-o', 'json')) as V1Pod;
    const as = await tlsOf(api, namespace.name, 'e2e-router-tls');
    const client = new AgentClient(pod.status?.podIP ?? '', `${namespace.name}:first`, as);
    return (path: string, body?: object, method = 'POST') => client.fetch(path, { method, ...(body && { body }) });
  };
  /** Waits until the status says that so many pods are ready and nothing is left to do. */
  const settled = async (replicas: number) => {
    for (;;) {
      const { status } = await pool();
      const progressing = status?.conditions?.find(({ type }) => type === 'Progressing');
      const isDone =
        progressing?.status === 'False' && status?.readyReplicas === replicas && status.replicas === replicas;
      if (isDone) return status;
      await sleep(200);
    }
  };

  it('makes the pods of a pool and says when they take sessions', async () => {
    await applyPool({ replicas: 2, sessions: { minIdle: 1 }, update: { drainSeconds: 1 } });
    const status = await settled(2);
    assert.equal(status.conditions?.find(({ type }) => type === 'Ready')?.status, 'True');
    assert.equal((await pods()).length, 2);
  });

  it('replaces a pod that was deleted', async () => {
    const [gone] = await pods();
    await kubectl('delete', 'pod', gone?.name ?? '', '-n', namespace.name, '--wait=false');
    while ((await pods()).some(({ uid }) => uid === gone?.uid)) await sleep(100);
    await settled(2);
  });

  it('scales by kubectl scale, up and down', async () => {
    await kubectl('scale', 'rp/first', '--replicas=3', '-n', namespace.name);
    await settled(3);
    await kubectl('scale', 'rp/first', '--replicas=1', '-n', namespace.name);
    await settled(1);
    assert.equal((await pods()).length, 1);
  });

  it('never takes a busy pod while an idle one is there, and tells in the status what the agents say', async () => {
    await kubectl('scale', 'rp/first', '--replicas=2', '-n', namespace.name);
    await settled(2);
    const [, busy] = await pods();
    const agent = await agentOf(busy?.name ?? '');
    const session = (await (await agent('/v1/sessions', {})).json()) as Session;
    const answer = agent(`/v1/sessions/${session.id}/executions`, { code: 'import time; time.sleep(6); 42' });
    for (;;) {
      const { status } = await pool();
      if (status?.sessions?.active === 1 && status.sessions.capacity > 0) break;
      await sleep(100);
    }
    await kubectl('scale', 'rp/first', '--replicas=1', '-n', namespace.name);
    await settled(1);
    assert.deepEqual(
      (await pods()).map(({ name }) => name),
      [busy?.name],
    );
    assert.equal(((await (await answer).json()) as Execution).result?.data['text/plain'], '42');
  });

  it('scales by itself on free sessions, and holds on to what it has for the delay', async () => {
    const limits = { minReplicas: 1, maxReplicas: 2, targetFreeSessions: 2, scaleDownDelaySeconds: 2 };
    await applyPool({ autoscaling: limits, sessions: { minIdle: 1, maxPerPod: 2 }, update: { drainSeconds: 1 } });
    await settled(1);
    const [only] = await pods();
    const agent = await agentOf(only?.name ?? '');
    const session = (await (await agent('/v1/sessions', {})).json()) as Session;
    await settled(2);
    await agent(`/v1/sessions/${session.id}`, undefined, 'DELETE');
    await settled(1);
  });

  it('rolls a changed pool to its new revision', async () => {
    const [old] = await pods();
    await applyPool({ replicas: 1, sessions: { minIdle: 2 }, update: { drainSeconds: 1 } });
    while ((await pods()).some(({ uid }) => uid === old?.uid)) await sleep(100);
    const { updatedReplicas } = await settled(1);
    assert.equal(updatedReplicas, 1);
  });

  it('leaves a paused pool alone', async () => {
    await kubectl(
      'patch',
      'rp/first',
      '-n',
      namespace.name,
      '--type=merge',
      '-p',
      '{"spec":{"paused":true,"replicas":3}}',
    );
    for (;;) {
      const { status } = await pool();
      if (status?.conditions?.some(({ reason }) => reason === 'Paused')) break;
      await sleep(100);
    }
    assert.equal((await pods()).length, 1);
    await kubectl('patch', 'rp/first', '-n', namespace.name, '--type=merge', '-p', '{"spec":{"paused":false}}');
    await settled(3);
  });

  it('says which image cannot be had', async () => {
    await applyPool({ replicas: 1, runtime: { image: 'e2e.local/none:1' }, update: { drainSeconds: 1, maxSurge: 1 } });
    for (;;) {
      const degraded = (await pool()).status?.conditions?.find(({ type }) => type === 'Degraded');
      if (degraded?.status === 'True') {
        assert.equal(degraded.reason, 'ImageUnavailable');
        break;
      }
      await sleep(200);
    }
  });

  it('takes all of a pool along when it is deleted', async () => {
    await kubectl('delete', 'rp/first', '-n', namespace.name);
    while ((await pods()).length > 0) await sleep(200);
    const left = () =>
      kubectl(
        'get',
        'service,pdb,networkpolicy,secret,configmap,serviceaccount',
        '-l',
        'replpool.dev/pool=first',
        '-n',
        namespace.name,
        '-o',
        'name',
      );
    while ((await left()).trim() !== '') await sleep(200);
  });
});
