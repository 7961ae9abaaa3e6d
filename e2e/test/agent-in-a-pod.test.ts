import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import type { V1Secret } from '@kubernetes/client-node';
import { type Authority, issueAuthority, issueLeaf, LIFETIMES, type Subject } from '@replpool/operator';
import {
  type AgentConfig,
  agentTlsName,
  type Execution,
  type Problem,
  ROUTER_TLS_NAME,
  type RouterConfig,
  replPoolSpecSchema,
  type ServerMessage,
  type Session,
  type TlsFiles,
} from '@replpool/protocol';
import { agentNodeOptions } from '@replpool/session-agent';
import { apply } from './support/apply.ts';
import { image } from './support/images.ts';
import { kubectl } from './support/kubectl.ts';
import { Namespace } from './support/namespace.ts';
import { report } from './support/report.ts';
import { restrictedPod } from './support/restricted-pod.ts';
import { RouterClient } from './support/router-client.ts';

const health = { host: '0.0.0.0', port: 9090 };
const listen = { host: '0.0.0.0', port: 8080 };
const pool = 'team:data';
const drainSeconds = 60;

const secretOf = (name: string, files: Record<string, string>): V1Secret => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name },
  stringData: files,
});

const tls: TlsFiles = {
  certFile: '/etc/replpool/tls.crt',
  keyFile: '/etc/replpool/tls.key',
  caFile: '/etc/replpool/ca.crt',
};

describe('an agent in a restricted pod, behind a router in another', () => {
  const key = randomBytes(24).toString('base64url');
  let namespace: Namespace | undefined;
  let router: RouterClient;
  let addresses: { agent: string; router: string };
  let session: Session;
  let authority: Authority;

  /** The files of a certificate. */
  async function certificate(subject: Subject): Promise<Record<string, string>> {
    const pair = await issueLeaf(subject, authority, Date.now(), LIFETIMES);
    return { 'tls.crt': pair.cert, 'tls.key': pair.key, 'ca.crt': authority.cert };
  }

  async function ready(pod: string): Promise<string> {
    const of = ['--namespace', namespace?.name ?? ''];
    await kubectl('wait', ...of, '--for=condition=Ready', '--timeout=60s', `pod/${pod}`);
    return await kubectl('get', ...of, 'pod', pod, '-o', 'jsonpath={.status.podIP}');
  }

  async function startAgent(): Promise<string> {
    const config: Omit<AgentConfig, 'pod'> = {
      ...{ pool, listen, health, tls },
      spec: replPoolSpecSchema.parse({
        isolation: { level: 'None', cgroups: 'None' },
        sessions: { minIdle: 1, maxPerPod: 4 },
        update: { drainSeconds },
      }),
      python: '/opt/replpool/python/bin/python',
      runDirectory: '/run/replpool',
    };
    const args = ['--config', '/etc/replpool/agent.json', '--pod', '$(POD_NAME)'];
    await apply(
      namespace?.name ?? '',
      secretOf('agent', {
        'agent.json': JSON.stringify(config),
        ...(await certificate({ name: agentTlsName(pool), usage: 'serverAuth' })),
      }),
      restrictedPod({
        ...{ name: 'agent', image: await image('agent'), secret: 'agent', args },
        ...{ healthPort: health.port, graceSeconds: drainSeconds + 15 },
      }),
    );
    return await ready('agent');
  }

  async function startRouter(agent: string): Promise<string> {
    const sha256 = createHash('sha256').update(key).digest('hex');
    const config: RouterConfig = {
      ...{ listen, health },
      auth: { mode: 'apiKeys', keys: [{ name: 'e2e', sha256 }] },
      agents: [{ pod: 'agent', pool, url: `https://${agent}:${listen.port}` }],
      agentTls: tls,
    };
    await apply(
      namespace?.name ?? '',
      secretOf('router', {
        'router.json': JSON.stringify(config),
        ...(await certificate({ name: ROUTER_TLS_NAME, usage: 'clientAuth' })),
      }),
      restrictedPod({
        ...{ name: 'router', image: await image('router'), secret: 'router' },
        ...{ args: ['--config', '/etc/replpool/router.json'], healthPort: health.port, graceSeconds: 10 },
      }),
    );
    return await ready('router');
  }

  before(async function () {
    // The images may have to be built first.
    this.timeout(600_000);
    namespace = await Namespace.create('pod');
    authority = await issueAuthority(Date.now(), LIFETIMES);
    try {
      const agent = await startAgent();
      addresses = { agent, router: await startRouter(agent) };
    } catch (error) {
      await report(namespace.name);
      throw error;
    }
    router = new RouterClient(`http://${addresses.router}:${listen.port}`, key);
    session = await router.session();
  });
  afterEach(async function () {
    if (this.currentTest?.state === 'failed' && namespace !== undefined) await report(namespace.name);
  });
  after(() => namespace?.[Symbol.asyncDispose]());

  const lines = async (code: string): Promise<string[]> => {
    const { stdout, error } = await router.run(session.id, code);
    assert.equal(error, undefined);
    return stdout.split('\n').filter((line) => line !== '');
  };

  it('keeps a session between executions, under the name of its pod', async () => {
    assert.equal(session.pod, 'agent');
    await router.run(session.id, 'x = 41');
    assert.equal((await router.run(session.id, 'x + 1')).result?.data['text/plain'], '42');
  });

  it('streams what the code writes as NDJSON', async () => {
    const types = new Set<string>();
    let output = '';
    for await (const event of router.events(session.id, { code: 'for i in range(3): print(i)' })) {
      types.add(event.type);
      if (event.type === 'stdout') output += event.data;
    }
    assert.deepEqual([...types], ['queued', 'started', 'stdout', 'finished']);
    assert.equal(output, '0\n1\n2\n');
  });

  it('runs code over the channel', async () => {
    const channel = router.channel(session.id);
    const outcome = Promise.withResolvers<Execution>();
    channel.onerror = (event) => outcome.reject(new Error('the channel broke', { cause: event }));
    channel.onmessage = ({ data }) => {
      const message = JSON.parse(String(data)) as ServerMessage;
      if (message.type === 'hello') channel.send(JSON.stringify({ type: 'execute', id: 'sum', code: '20 + 22' }));
      if (message.type === 'finished' && message.execution === 'sum') outcome.resolve(message.outcome);
    };
    assert.equal((await outcome.promise).result?.data['text/plain'], '42');
    channel.close();
  });

  it('answers nobody without a key', async () => {
    const stranger = new RouterClient(`http://${addresses.router}:${listen.port}`, 'guessed');
    assert.equal((await stranger.fetch('/v1/sessions')).status, 401);
    const past = new RouterClient(`http://${addresses.agent}:${listen.port}`, key);
    await assert.rejects(past.fetch('/v1/sessions'), 'an agent speaks to routers and operators alone');
  });

  it('has health and metrics on a port of their own', async () => {
    for (const [pod, metric] of [
      [addresses.agent, 'replpool_sessions{'],
      [addresses.router, 'replpool_router_requests_total{'],
    ]) {
      assert.ok((await (await fetch(`http://${pod}:${health.port}/metrics`)).text()).includes(metric ?? ''));
      assert.equal((await fetch(`http://${pod}:${health.port}/v1/sessions`)).status, 404);
    }
    assert.equal((await fetch(`http://${addresses.router}:${listen.port}/metrics`)).status, 401);
  });

  it('starts the agent with the options that bound its garbage', async () => {
    const started = await lines('print(*open("/proc/1/cmdline").read().split("\\0"), sep="\\n")');
    assert.deepEqual(started.slice(1, 1 + agentNodeOptions.length), agentNodeOptions);
  });

  it("shows a worker no service account's token, in no variable and in no file", async () => {
    assert.deepEqual(
      await lines(`import glob, os
for name, value in os.environ.items():
    if 'TOKEN' in name or value.startswith('eyJ') or name.startswith('KUBERNETES_'): print(name)
for path in ('/var/run/secrets', '/run/secrets'):
    if os.path.exists(path): print(path)
print(*(line for line in open('/proc/self/mounts') if 'serviceaccount' in line), end='')
for path in glob.glob('/proc/[0-9]*/environ'):
    try: content = open(path, 'rb').read()
    except OSError: continue
    if b'eyJ' in content: print(path)`),
      [],
    );
  });

  it('is nobody in particular there: no root, no capability, nothing to write but its folders', async () => {
    const found = await lines(`import os
print(os.getuid(), os.getgid())
print(*(line.split()[1] for line in open('/proc/self/status') if line.startswith(('CapPrm', 'CapEff', 'CapBnd', 'NoNewPrivs'))))
for path in ('/', '/opt/replpool', '/etc', '/usr', '/var/tmp'):
    try: open(os.path.join(path, 'probe'), 'w'); print(path)
    except OSError: pass
open('/tmp/probe', 'w').close()`);
    const none = '0000000000000000';
    assert.deepEqual(found, ['65532 65532', `${none} ${none} ${none} 1`]);
  });

  it('drains when its pod is deleted: what runs ends and is answered, what is new is refused', async () => {
    const code = 'import time\ntime.sleep(3)\ninput("go on? ")';
    const seen: string[] = [];
    const started = Promise.withResolvers<void>();
    const ended = (async () => {
      for await (const event of router.events(session.id, { code, id: 'long' })) {
        seen.push(event.type);
        if (event.type === 'started') started.resolve();
        if (event.type === 'finished') return event.outcome;
      }
      throw new Error(`the stream ended after ${seen.join(', ')}`);
    })();
    await Promise.race([started.promise, ended]);
    await kubectl('delete', 'pod', 'agent', '--namespace', namespace?.name ?? '', '--wait=false');

    // The kubelet takes a moment to send the signal.
    let refused = await router.fetch('/v1/sessions', { body: {} });
    while (refused.status === 201) {
      const { id } = (await refused.json()) as Session;
      assert.equal((await router.fetch(`/v1/sessions/${id}`, { method: 'DELETE' })).status, 204);
      refused = await router.fetch('/v1/sessions', { body: {} });
    }
    assert.deepEqual([refused.status, ((await refused.json()) as Problem).code], [503, 'DRAINING']);
    assert.ok(!seen.includes('finished'), 'the execution still ran when the new session was refused');

    const input = `/v1/sessions/${session.id}/executions/long/input`;
    // It asks when it has slept.
    let answered = await router.fetch(input, { body: { value: 'yes' } });
    while (answered.status === 409) answered = await router.fetch(input, { body: { value: 'yes' } });
    assert.equal(answered.status, 204);
    const outcome = await ended;
    assert.deepEqual([outcome.status, outcome.result?.data['text/plain']], ['ok', "'yes'"]);

    assert.equal((await router.run(session.id, 'x')).result?.data['text/plain'], '41', 'idle, it stays usable');
    assert.equal((await router.fetch(`/v1/sessions/${session.id}`, { method: 'DELETE' })).status, 204);
    // Well before its grace is over, for no session is left.
    await kubectl('wait', '--namespace', namespace?.name ?? '', '--for=delete', '--timeout=30s', 'pod/agent');
  });
});
