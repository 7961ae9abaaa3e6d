import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { withChart } from '../support/chart-release.ts';
import { helm } from '../support/helm.ts';
import { kubectl } from '../support/kubectl.ts';
import type { Namespace } from '../support/namespace.ts';
import { Refusal, RouterClient } from '../support/router-client.ts';
import { tokenOf } from '../support/token.ts';

const CLIENTS = 6;

/** One user, who counts in a session, one step after the other, and repeats a step under its id where the router says that it may be repeated. */
class Counting {
  readonly #client: RouterClient;
  readonly #ended = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #failure: unknown;
  steps = 0;

  constructor(client: RouterClient) {
    this.#client = client;
  }

  async start(): Promise<void> {
    const { id } = await this.#client.session();
    await this.#client.run(id, 'x = 0');
    this.#running = this.#count(id);
    this.#running.catch((error: unknown) => {
      this.#failure = error;
    });
  }

  /** Resolves once it went on from here. @throws what no client has to expect */
  async goneOn(from: number): Promise<void> {
    while (this.steps <= from) {
      if (this.#failure !== undefined) throw this.#failure;
      await sleep(50);
    }
  }

  /** @throws what no client has to expect */
  async end(): Promise<void> {
    this.#ended.abort();
    await this.#running;
  }

  async #count(session: string): Promise<void> {
    while (!this.#ended.signal.aborted) {
      const said = await this.#step(session, randomUUID());
      this.steps += 1;
      assert.equal(said, String(this.steps), 'a step was lost, or done twice');
    }
  }

  async #step(session: string, id: string): Promise<unknown> {
    for (;;) {
      try {
        return (await this.#client.run(session, 'x += 1; x', id)).result?.data['text/plain'];
      } catch (error) {
        if (!(error instanceof Refusal) || !error.problem.retryable) throw error;
        await sleep(100);
      }
    }
  }
}

// No version was released before this one, so both ends are the working tree's; the upgrade changes what a new version would: the pods of operator
// and router, their configurations, their number. The first release brings its package along for this test to begin with.
describe('helm upgrade', function () {
  this.timeout(300_000);
  const installed = withChart('upgrade');

  const uids = async (component: string, where: Namespace): Promise<string[]> => {
    const selector = `app.kubernetes.io/component=${component}`;
    const path = 'jsonpath={.items[*].metadata.uid}';
    return (await kubectl('get', 'pods', '-l', selector, '-n', where.name, '-o', path)).split(' ').sort();
  };

  const replaced = async (component: string, before: readonly string[], count: number): Promise<void> => {
    for (;;) {
      const now = await uids(component, installed().namespace);
      if (now.length === count && !now.some((uid) => before.includes(uid))) return;
      await sleep(200);
    }
  };

  it('replaces operators and routers under load, and no session notices', async () => {
    const { release, namespace, pools } = installed();
    const client = new RouterClient(await release.url(), await tokenOf(pools.name, 'analyst'));
    const before = {
      routers: await uids('router', namespace),
      operators: await uids('operator', namespace),
      agents: await uids('agent', pools),
    };
    const users = Array.from({ length: CLIENTS }, () => new Counting(client));
    await Promise.all(users.map((user) => user.start()));
    await release.upgrade('--set', 'operator.cgroups=None,logLevel=debug,router.replicas=3,router.drainSeconds=20');
    const stepsThen = users.map(({ steps }) => steps);
    // Until the last of the old ones, which Helm does not wait for, is gone, too.
    await replaced('router', before.routers, 3);
    await replaced('operator', before.operators, 2);
    for (const [i, user] of users.entries()) await user.goneOn(stepsThen[i] ?? 0);
    for (const user of users) await user.end();

    assert.deepEqual(await uids('agent', pools), before.agents);
  });

  it('goes back with helm rollback, as far as it went', async () => {
    const { release, namespace, pools } = installed();
    await helm('rollback', release.name, '1', '--namespace', namespace.name, '--wait', '--timeout', '180s');
    const client = new RouterClient(await release.url(), await tokenOf(pools.name, 'analyst'));
    const { id } = await client.session();
    assert.equal((await client.run(id, '6 * 7')).result?.data['text/plain'], '42');
  });
});
