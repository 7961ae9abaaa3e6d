import assert from 'node:assert/strict';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { AgentProcess } from './agent-process.ts';
import { eventually } from './eventually.ts';
import { descendantsOf, launcherOf } from './processes.ts';
import { SessionClient } from './session-client.ts';

/** By hand 10,000. */
const TRANSACTIONS = Number(process.env.SOAK ?? 300);
/** Until all that is made once is there. */
const WARM_UP = 20;
const KEPT = 3;
const REST_MS = 100;

/** Of a process, without those of its connections with clients, which come and go. */
function descriptors(pid: number): number {
  const clients = readFileSync(`/proc/${pid}/net/tcp`, 'utf8')
    .split('\n')
    .map((line) => `socket:[${line.trim().split(/\s+/)[9]}]`);
  const targets = readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return []; // It was closed meanwhile.
    }
  });
  return targets.filter((target) => !clients.includes(target)).length;
}

describe(`${TRANSACTIONS} snapshots (SOAK)`, function () {
  this.timeout(60_000 + TRANSACTIONS * 100);
  let agent: AgentProcess;
  let session: SessionClient;
  before(async () => {
    agent = await AgentProcess.start({ sessions: { minIdle: 0 } });
  });
  after(() => agent[Symbol.asyncDispose]());
  const begin = async (body: Record<string, unknown>) => {
    session = await SessionClient.create(agent, body);
    await session.run('n = 0');
  };
  afterEach(() => session.delete());

  /** What the processes of the agent hold, besides memory. */
  const held = (worker: number) => {
    const below = descendantsOf(agent.pid);
    return {
      agent: descriptors(agent.pid),
      launcher: descriptors(launcherOf(agent.pid)),
      worker: descriptors(worker),
      processes: below.map(({ name }) => name).toSorted(),
      zombies: below.filter(({ state }) => state === 'Z').length,
    };
  };
  /** Leaves as many snapshots each time, of a session that keeps them. @returns the pid of its worker */
  const atRest = async () => {
    for (let n = 0; n < KEPT; n += 1) await session.run('n');
    return await session.pid();
  };

  async function holdsNothing(act: (n: number) => Promise<void>, times: number) {
    for (let n = 0; n < WARM_UP; n += 1) await act(n);
    let worker = await atRest();
    let [before, now] = [held(worker), held(worker)];
    await eventually('it comes to rest', async () => {
      before = now;
      await sleep(REST_MS);
      now = held(worker);
      return isDeepStrictEqual(now, before);
    });
    for (let n = 0; n < times; n += 1) await act(n);
    worker = await atRest();
    await eventually('what is held is what was held', () => isDeepStrictEqual(held(worker), before)).catch(() => {
      assert.deepEqual(held(worker), before);
    });
  }

  it('of transactions, half of them rolled back, leave no process, no zombie and no descriptor', async () => {
    await begin({});
    const transaction = { policy: 'rollback_on_failure' };
    await holdsNothing(async (n) => {
      const { transaction: told } = await session.run(n % 2 ? 'n += 1' : 'n += 1; 1/0', { transaction });
      assert.equal(told?.outcome, n % 2 ? 'committed' : 'rolled_back');
    }, TRANSACTIONS);
    assert.equal(await session.value('n'), String(Math.floor(TRANSACTIONS / 2) + WARM_UP / 2));
    await session.settled();
  });

  it('for undo leave none', async () => {
    await begin({ keepSnapshots: KEPT });
    await holdsNothing(
      async (n) => {
        assert.equal((await session.run('n += 1')).status, 'ok');
        if (n % 2 === 0) return;
        const { http, body } = await session.undo(1 + (n % 3));
        assert.equal(http, 200, JSON.stringify(body));
      },
      Math.ceil(TRANSACTIONS / 3),
    );
  });

  it('for branches leave none', async () => {
    await begin({});
    await holdsNothing(
      async () => {
        const { http, body } = await session.fork({ count: 2 });
        assert.equal(http, 201, JSON.stringify(body));
        await Promise.all(body.items.map(({ id }) => new SessionClient(agent, id).delete()));
      },
      Math.ceil(TRANSACTIONS / 10),
    );
  });
});
