import assert from 'node:assert/strict';
import { hash, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type Authority, issueAuthority, issueLeaf, LIFETIMES, type Subject } from '@replpool/operator';
import {
  type AgentEndpoint,
  agentTlsName,
  metrics,
  OPERATOR_TLS_NAME,
  ROUTER_TLS_NAME,
  type RouterConfig,
  type Session,
} from '@replpool/protocol';
import { type Router, startRouter } from '@replpool/router';
import type { TlsMaterial } from '@replpool/service';
import { AgentClient } from '../../session-agent/test/agent-client.ts';
import { ChannelClient } from '../../session-agent/test/channel-client.ts';
import { RealAgent } from '../../session-agent/test/real-agent.ts';
import { MountedTls } from './support/mounted-tls.ts';
import { until } from './support/processes.ts';
import { callAgent, fingerprintOf } from './support/tls-call.ts';

const POOL = 'team:data';
const AGENT: Subject = { name: agentTlsName(POOL), usage: 'serverAuth' };
const ROUTER: Subject = { name: ROUTER_TLS_NAME, usage: 'clientAuth' };
const OPERATOR: Subject = { name: OPERATOR_TLS_NAME, usage: 'clientAuth' };
/** Long enough ago for a certificate of then to have expired. */
const THEN = Date.now() - 2 * LIFETIMES.leafMs;
const KEY = 'key';
/** Node.js closes without a word, at times before all that was sent is read; only that there is no certificate it says. */
const CUT_OFF = ({ code }: NodeJS.ErrnoException): boolean =>
  ['ECONNRESET', 'EPIPE', 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED'].includes(code ?? '');

const newAuthority = () => issueAuthority(THEN, LIFETIMES);

async function materialFor(
  subject: Subject,
  signer: Authority,
  trusted: readonly Authority[] = [signer],
  at = Date.now(),
): Promise<TlsMaterial> {
  return { ...(await issueLeaf(subject, signer, at, LIFETIMES)), ca: trusted.map(({ cert }) => cert).join('') };
}

/** An agent and a router before it, which know each other by their certificates alone. */
class Pair implements AsyncDisposable {
  readonly agent: RealAgent;
  readonly router: Router;
  readonly client: KeyClient;
  readonly mounts: { readonly agent: MountedTls; readonly router: MountedTls };

  private constructor(agent: RealAgent, router: Router, mounts: Pair['mounts']) {
    this.agent = agent;
    this.router = router;
    this.client = new KeyClient(`http://127.0.0.1:${router.port}`);
    this.mounts = mounts;
  }

  static async start(authority: Authority): Promise<Pair> {
    const mounts = {
      agent: await MountedTls.create(await materialFor(AGENT, authority)),
      router: await MountedTls.create(await materialFor(ROUTER, authority)),
    };
    const agent = await RealAgent.start({}, { pool: POOL, tls: mounts.agent.files });
    const endpoint: AgentEndpoint = { pod: 'default-0', pool: POOL, url: agent.url };
    const config: RouterConfig = {
      listen: { host: '127.0.0.1', port: 0 },
      auth: { mode: 'apiKeys', keys: [{ name: 'ann', sha256: hash('sha256', KEY), admin: true }] },
      agents: [endpoint],
      agentTls: mounts.router.files,
    };
    const pair = new Pair(agent, await startRouter(config), mounts);
    await until(() => pair.isReady());
    return pair;
  }

  async isReady(): Promise<boolean> {
    const { items } = (await (await this.client.fetch('/v1/pools')).json()) as { items: { readyPods: number }[] };
    return items[0]?.readyPods === 1;
  }

  /** Resolves once the agent shows the certificate that its folder has now. */
  async agentShows({ cert }: TlsMaterial, as: TlsMaterial): Promise<void> {
    const { fingerprint256 } = new X509Certificate(cert);
    await until(async () => (await fingerprintOf(this.agent.url, as)) === fingerprint256);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.router.close();
    await this.agent.close();
    await this.mounts.agent[Symbol.asyncDispose]();
    await this.mounts.router[Symbol.asyncDispose]();
  }
}

class KeyClient extends AgentClient {
  override get headers(): Record<string, string> {
    return { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' };
  }
}

describe('an agent and a router with certificates', () => {
  let authority: Authority;
  let pair: Pair;
  let session: Session;

  before(async () => {
    authority = await newAuthority();
    pair = await Pair.start(authority);
    session = await pair.client.session();
  });
  after(() => pair?.[Symbol.asyncDispose]());

  const asking = async (material: Pick<TlsMaterial, 'ca'> & Partial<TlsMaterial>) =>
    (await callAgent(pair.agent.url, POOL, '/v1/sessions', material)).status;
  it('run code, stream and open channels, without a token', async () => {
    assert.equal((await pair.client.run(session.id, '20 + 22')).result?.data['text/plain'], '42');
    const types: string[] = [];
    for await (const { type } of pair.client.events(session.id, { code: 'print(1)' })) types.push(type);
    assert.deepEqual(types, ['queued', 'started', 'stdout', 'finished']);
    const channel = await new ChannelClient(pair.client, session.id).opened();
    const { finished } = channel.execute('sum', '1 + 1');
    assert.equal((await finished).result?.data['text/plain'], '2');
    channel.socket.close();
  });

  it('each tell when the certificate that they use expires', async () => {
    const expiryIn = (text: string, name: string): number => {
      const line = text.split('\n').find((it) => it.startsWith(`${metrics.certificateExpiry.name}{name="${name}"}`));
      return Number(line?.split(' ').at(-1));
    };
    const ofRouter = await (await pair.client.fetch('/metrics')).text();
    const { body: ofAgent } = await callAgent(pair.agent.url, POOL, '/metrics', await materialFor(ROUTER, authority));
    for (const [text, { files }, name] of [
      [ofRouter, pair.mounts.router, ROUTER.name],
      [ofAgent, pair.mounts.agent, AGENT.name],
    ] as const) {
      const { validToDate } = new X509Certificate(await readFile(files.certFile));
      assert.equal(expiryIn(text, name), validToDate.getTime() / 1000, name);
    }
  });

  it('let the operator in as well', async () => {
    assert.equal(await asking(await materialFor(OPERATOR, authority)), 200);
  });

  it('let in nobody without a certificate, nor one that has expired, or is of another authority', async () => {
    await assert.rejects(asking({ ca: authority.cert }), CUT_OFF);
    await assert.rejects(asking(await materialFor(ROUTER, authority, [authority], THEN)), CUT_OFF);
    await assert.rejects(asking(await materialFor(ROUTER, await newAuthority(), [authority])), CUT_OFF);
  });

  it("let in no agent, though its certificate is the same authority's", async () => {
    await assert.rejects(asking(await materialFor(AGENT, authority)), CUT_OFF);
  });

  it('let in nobody of another name, whatever the authority signed', async () => {
    for (const name of ['other.replpool.internal', '*.replpool.internal', AGENT.name]) {
      const material = await materialFor({ name, usage: 'clientAuth' }, authority);
      assert.equal(await asking(material), 401, name);
    }
  });

  it('answer nothing to plain HTTP', async () => {
    await assert.rejects(fetch(`${pair.agent.url.replace('https', 'http')}/v1/sessions`));
  });

  for (const [what, material, code] of [
    [
      "another pool's name",
      () => materialFor({ name: agentTlsName('team:other'), usage: 'serverAuth' }, authority),
      'ERR_TLS_CERT_ALTNAME_INVALID',
    ],
    ['a certificate that has expired', () => materialFor(AGENT, authority, [authority], THEN), 'CERT_HAS_EXPIRED'],
    [
      "another authority's certificate",
      async () => materialFor(AGENT, await newAuthority(), [authority]),
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    ],
    ["a client's certificate", () => materialFor({ ...AGENT, usage: 'clientAuth' }, authority), 'INVALID_PURPOSE'],
  ] as const) {
    it(`send nothing to who shows ${what}`, async () => {
      const router = await materialFor(ROUTER, authority);
      const right = await materialFor(AGENT, authority);
      const wrong = await material();
      await pair.mounts.agent.update(wrong);
      await pair.agentShows(wrong, router);
      await assert.rejects(asking(router), { code });
      const channel = () => new ChannelClient(pair.client, session.id).opened();
      await assert.rejects(channel(), /503/);
      // As many at once as the router has not kept connections for, which are of the time before.
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => pair.client.fetch(`/v1/sessions/${session.id}`)),
      );
      assert.ok(answers.some(({ status }) => status === 503));
      await pair.mounts.agent.update(right);
      await pair.agentShows(right, router);
      (await channel()).socket.close();
    });
  }
});

describe('a change of the authority', () => {
  it('breaks off nothing that is under way, and lets new connections be made at each of its steps', async () => {
    const before = await newAuthority();
    const after = await newAuthority();
    await using pair = await Pair.start(before);
    const { client, mounts, agent } = pair;
    const { id } = await client.session();
    const events = client.events(id, { code: 'input("first? ") + input("second? ")', id: 'long' });
    const stream = (async () => {
      for await (const event of events) if (event.type === 'finished') return event.outcome;
      throw new Error('the stream ended');
    })();
    const channel = await new ChannelClient(client, id).opened();
    const answer = async (value: string) => {
      const path = `/v1/sessions/${id}/executions/long/input`;
      await until(async () => (await client.post(path, { value })).status === 204);
    };

    const steps: [signer: Authority, trusted: Authority[]][] = [
      [before, [before, after]],
      [after, [before, after]],
      [after, [after]],
    ];
    for (const [signer, trusted] of steps) {
      const router = await materialFor(ROUTER, signer, trusted);
      const server = await materialFor(AGENT, signer, trusted);
      // First one, then the other: a kubelet brings them as it likes.
      await mounts.agent.update(server);
      await pair.agentShows(server, router);
      await new ChannelClient(client, id).opened().then(({ socket }) => socket.close());
      await mounts.router.update(router);
      await new ChannelClient(client, id).opened().then(({ socket }) => socket.close());
      const answers = await Promise.all([1, 2, 3].map(() => client.fetch(`/v1/sessions/${id}`)));
      assert.deepEqual(
        answers.map(({ status }) => status),
        [200, 200, 200],
      );
    }
    const old = await materialFor(ROUTER, before, [after]);
    await assert.rejects(callAgent(agent.url, POOL, '/v1/sessions', old), CUT_OFF);

    await answer('a');
    await answer('b');
    assert.equal((await stream).result?.data['text/plain'], "'ab'");
    const { finished } = channel.execute('after', '6 * 7');
    assert.equal((await finished).result?.data['text/plain'], '42', 'the channel of the time before goes on');
    channel.socket.close();
  });
});
