import assert from 'node:assert/strict';
import { eventually } from './eventually.ts';
import { kill } from './processes.ts';
import { RealAgent } from './real-agent.ts';
import { SessionClient } from './session-client.ts';

/** Code of the user's that speaks in the worker's name. */
const WORKER = `
import gc, os, signal, time
from replpool_worker.connection import Connection
connection = next(each for each in gc.get_objects() if type(each) is Connection)
`;
/** It says once more that an execution has ended, while the agent asks what that had open. */
const ends = (status: string) => `${WORKER}
import replpool_worker.session as session
def handles(*arguments):
    connection.send({"type": "finished", "execution": "fails", "status": "${status}", "executionCount": 2, "pipes": [0, 0],
        "variables": {"added": [], "changed": [], "deleted": []}, "usage": {"cpuMs": 0, "maxRssBytes": 0}})
    return []
session.handles = handles
`;
/** The branch is a child of the worker. */
const FORKS_ITSELF = `${WORKER}
import replpool_worker.twin as twin
def grow(names, be, waits):
    pid = twin.fork()
    return [pid] if pid else [be(0)][1:]
twin.grow = grow
`;
/** A twin is there, and gone before the worker has told of it. */
const KILLS_ITS_TWINS = `${WORKER}
from replpool_worker.fork_safety import ForkSafety
from replpool_worker.session import Session
session = next(each for each in gc.get_objects() if type(each) is Session)
def look_again(self):
    time.sleep(0.3)  # It says hello.
    for pid in session._snapshots.child_waits._twins: os.kill(pid, signal.SIGKILL)
    time.sleep(0.3)
ForkSafety.look_again = look_again
`;
const ROLLBACK = { transaction: { policy: 'rollback_on_failure' } };

describe('of a worker that lies', function () {
  this.timeout(60_000);
  let agent: RealAgent;
  let session: SessionClient;
  before(async () => {
    agent = await RealAgent.start({ sessions: { minIdle: 0, interruptGraceSeconds: 1 } });
  });
  after(() => agent.close());
  beforeEach(async () => {
    session = await SessionClient.create(agent);
  });
  afterEach(() => session.delete());

  for (const status of ['ok', 'error']) {
    it(`an execution ends once, though it says ${status} when that is rolled back`, async () => {
      await session.run(ends(status));
      const { body } = await session.execute('l = [1]; 1/0', { id: 'fails', ...ROLLBACK });
      assert.deepEqual([body.status, body.transaction?.outcome], ['error', 'rolled_back']);
      assert.equal(await session.value('"l" in globals()'), 'False');
      const told = (await session.settled()).filter(({ type }) => type === 'finished' || type === 'warning');
      assert.deepEqual(
        told.map((event) => ('code' in event ? event.code : 'finished')),
        ['finished', 'WORKER_PROTOCOL', 'finished', 'finished'],
      );
    });
  }

  it('a branch is none whose end we would not see', async () => {
    await session.run(FORKS_ITSELF);
    const { http, body } = await session.fork();
    const [made] = http === 201 ? body.items : [];
    if (made) {
      const branch = new SessionClient(agent, made.id);
      kill(await branch.pid());
      await eventually('its end is seen', async () => (await branch.state()).stateEpoch === 2, 5000);
    } else assert.equal(http, 500);
    assert.equal(await session.value('1 + 1'), '2');
  });

  it('the loss of a snapshot is told, though it was gone before its worker told of it', async () => {
    await session.run(KILLS_ITS_TWINS);
    const { warnings, transaction } = await session.run('1/0', ROLLBACK);
    assert.deepEqual(
      warnings.map(({ code }) => code),
      ['SNAPSHOT_LOST'],
    );
    assert.equal(transaction?.outcome, 'committed');
  });
});
