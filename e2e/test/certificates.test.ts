import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { V1ConfigMap, V1Secret } from '@kubernetes/client-node';
import { ApiClient, classify, pathOf, resources } from '@replpool/kube';
import { Authorities, LIFETIMES } from '@replpool/operator';
import { agentTlsName, type Execution, ROUTER_TLS_NAME, type ServerMessage } from '@replpool/protocol';
import type { TlsMaterial } from '@replpool/service';
import { pino } from 'pino';
import { tlsOf } from './support/agent-client.ts';
import { kubeConfig } from './support/cluster.ts';
import { kubectl } from './support/kubectl.ts';
import { MirroredSecret } from './support/mirrored-secret.ts';
import { Namespace } from './support/namespace.ts';
import { SMALL, type TestPool } from './support/pool.ts';
import { inProcess, withRelease } from './support/release.ts';
import { Refusal } from './support/router-client.ts';

const CA = 'e2e-ca';
const ROUTER = 'e2e-router-tls';
const AGENT = 'replpool-pool-data-tls';
const LOOK_MS = 100;

const authoritiesIn = ({ ca }: TlsMaterial): number => ca.split('BEGIN CERTIFICATE').length - 1;

async function untilHolds<T>(read: () => Promise<T>, holds: (it: T) => boolean): Promise<T> {
  for (;;) {
    const it = await read();
    if (holds(it)) return it;
    await sleep(LOOK_MS);
  }
}

describe('the certificates of a release', function () {
  this.timeout(120_000);
  // Looked at more often than in real life, or the tests would wait for it.
  const release = withRelease('certificates', inProcess(kubeConfig, { ...LIFETIMES, lookMs: 500 }));
  let pool: TestPool;

  const read = async (name: string): Promise<V1Secret | undefined> => {
    const path = pathOf(resources.secrets, { namespace: release().namespace, name });
    return (await release()
      .client.request({ path })
      .catch((error: unknown) => {
        if (classify(error) === 'NotFound') return undefined;
        throw error;
      })) as V1Secret | undefined;
  };
  const tls = (name: string) => tlsOf(release().client, release().namespace, name);

  before(async () => {
    pool = release().pool('data');
    await pool.apply({ ...SMALL, replicas: 1 });
    await pool.settled(1);
  });

  it('are the authority, one for routers, and one a pool, each for one name and use', async () => {
    const authority = new X509Certificate((await tls(CA)).cert);
    for (const [name, dns, usage] of [
      [ROUTER, ROUTER_TLS_NAME, '1.3.6.1.5.5.7.3.2'],
      [AGENT, agentTlsName(pool.fullName), '1.3.6.1.5.5.7.3.1'],
    ] as const) {
      const { cert, ca } = await tls(name);
      const certificate = new X509Certificate(cert);
      assert.equal(certificate.subjectAltName, `DNS:${dns}`);
      assert.deepEqual(certificate.keyUsage, [usage]);
      assert.ok(certificate.verify(authority.publicKey));
      assert.equal(new X509Certificate(ca).fingerprint256, authority.fingerprint256);
    }
    const owner = (await read(AGENT))?.metadata?.ownerReferences?.[0];
    assert.deepEqual([owner?.kind, owner?.name], ['ReplPool', 'data']);
  });

  it('are all that is secret: what agents are started with is a ConfigMap', async () => {
    const maps = await pool.owned<V1ConfigMap>(resources.configMaps);
    const configs = maps.flatMap(({ data }) => data?.['agent.json'] ?? []);
    assert.equal(configs.length, 1);
    assert.ok(!configs.join().includes('token') && !configs.join().includes('PRIVATE KEY'));
  });

  it('come back when they are deleted, the authority as it was', async () => {
    const { cert } = await tls(CA);
    for (const name of [AGENT, ROUTER, CA]) {
      const uid = (await read(name))?.metadata?.uid;
      await kubectl('delete', 'secret', name, '-n', release().namespace);
      await untilHolds(
        () => read(name),
        (secret) => secret !== undefined && secret.metadata?.uid !== uid,
      );
    }
    assert.equal((await tls(CA)).cert, cert);
  });

  it('come back when they are broken, whatever they were made', async () => {
    const { namespace } = release();
    const isWhole = async (name: string) => {
      const { cert, ca } = await tls(name);
      return (
        cert !== '' && ca === (await tls(CA)).ca && new X509Certificate(cert).verify(new X509Certificate(ca).publicKey)
      );
    };
    const patch = JSON.stringify({ data: { 'ca.crt': Buffer.from('nonsense').toString('base64') } });
    await kubectl('patch', 'secret', ROUTER, '-n', namespace, '--type=merge', '-p', patch);
    await untilHolds(
      () => isWhole(ROUTER).catch(() => false),
      (it) => it,
    );

    const forGood = JSON.stringify({ immutable: true, ...JSON.parse(patch) });
    await kubectl('patch', 'secret', AGENT, '-n', namespace, '--type=merge', '-p', forGood);
    await untilHolds(
      () => isWhole(AGENT).catch(() => false),
      (it) => it,
    );
  });
});

describe('operators that begin at once', () => {
  it('have one authority', async () => {
    await using namespace = await Namespace.create('authority');
    using client = new ApiClient(kubeConfig);
    const options = { client, log: pino({ level: 'silent' }), lifetimes: LIFETIMES, release: 'e2e' };
    const { signal } = new AbortController();
    const signers = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const { signer } = await new Authorities({ ...options, namespace: namespace.name }).keep(() => false, signal);
        return signer.cert;
      }),
    );
    assert.deepEqual([...new Set(signers)], [(await tlsOf(client, namespace.name, CA)).cert]);
  });
});

describe('certificates that are soon over', function () {
  this.timeout(240_000);
  const lifetimes = {
    ...{ authorityMs: 120_000, leafMs: 60_000, renewAfter: 0.5 },
    ...{ backdateMs: 5_000, settleMs: 15_000, lookMs: 500 },
  };
  const release = withRelease('rotation', inProcess(kubeConfig, lifetimes));

  /** A kubelet looks at a pod at once when it changes, else after a minute. */
  const nudge = async ({ namespace, pool }: { namespace: string; pool: TestPool }): Promise<void> => {
    const [pod] = await pool.pods();
    await kubectl('annotate', 'pod', pod?.name ?? '', `test/nudge=${Date.now()}`, '--overwrite', '-n', namespace);
  };

  it('are replaced, and their authority too, while a session works on', async () => {
    const { namespace, client } = release();
    const pool = release().pool('data');
    await pool.apply({ ...SMALL, replicas: 1 });
    await pool.settled(1);
    const read = (name: string) => tlsOf(client, namespace, name);
    const first = await read(CA);
    await using mirrored = await MirroredSecret.open(client, namespace, ROUTER);
    const router = await release().startRouter(mirrored.files);
    await router.ready();
    const user = release().clientOf(router);
    const { id } = await retried(() => user.session());
    await user.run(id, 'count = 0');
    const channel = openChannel(user.channel(id));
    await channel.execute('long', 'input("go on? ")');

    const signers = new Set<string>();
    const agents = new Set<string>();
    const bundles = new Set<number>();
    // Until the first authority is trusted no more: then all that it signed was replaced.
    for (;;) {
      const [authority, agent] = [await read(CA), await read(AGENT)];
      signers.add(authority.cert);
      agents.add(agent.cert);
      bundles.add(authoritiesIn(authority));
      await nudge({ namespace, pool });
      // A new connection each time: a channel that is opened and closed.
      const once = openChannel(user.channel(id));
      await once.opened;
      once.close();
      assert.equal((await user.get(id)).state, 'busy');
      if (!authority.ca.includes(first.cert.trim())) break;
      await sleep(500);
    }
    assert.ok(signers.size >= 2 && agents.size >= 2, `${signers.size} authorities signed ${agents.size} certificates`);
    assert.ok(bundles.has(2), 'both authorities were trusted for a time');
    await user.input(id, 'long', 'yes');
    assert.equal((await channel.finished('long')).result?.data['text/plain'], "'yes'", 'the channel of the beginning');
    channel.close();
    assert.equal((await user.run(id, 'count')).result?.data['text/plain'], '0');
    assert.equal((await pool.settled(1))[0]?.container?.restarts, 0);
  });
});

/** Asks again until it is answered; the test's own time ends it. */
async function retried<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof Refusal && error.problem.retryable)) throw error;
      await sleep(LOOK_MS);
    }
  }
}

function openChannel(socket: WebSocket) {
  const opened = Promise.withResolvers<void>();
  const outcomes = new Map<string, PromiseWithResolvers<Execution>>();
  const started = new Map<string, PromiseWithResolvers<void>>();
  const broken = (): void => {
    const error = new Error('the channel broke');
    opened.reject(error);
    for (const { reject } of [...outcomes.values(), ...started.values()]) reject(error);
  };
  socket.addEventListener('error', broken);
  socket.addEventListener('close', broken);
  socket.addEventListener('message', ({ data }) => {
    const message = JSON.parse(String(data)) as ServerMessage;
    if (message.type === 'hello') opened.resolve();
    if (message.type === 'started' && message.execution) started.get(message.execution)?.resolve();
    if (message.type === 'finished' && message.execution) outcomes.get(message.execution)?.resolve(message.outcome);
  });
  return {
    opened: opened.promise,
    /** Resolves when it runs. */
    async execute(execution: string, code: string): Promise<void> {
      await opened.promise;
      const begun = Promise.withResolvers<void>();
      const outcome = Promise.withResolvers<Execution>();
      // Nobody may be waiting yet when it breaks.
      outcome.promise.catch(() => undefined);
      started.set(execution, begun);
      outcomes.set(execution, outcome);
      socket.send(JSON.stringify({ type: 'execute', id: execution, code }));
      await begun.promise;
    },
    finished: (execution: string): Promise<Execution> =>
      outcomes.get(execution)?.promise ?? Promise.reject(new Error('it was not begun')),
    close: () => socket.close(),
  };
}
