import assert from 'node:assert/strict';
import type { Session } from '@replpool/protocol';
import { killNode, needsNodesHere } from '../support/node-process.ts';
import { SMALL } from '../support/pool.ts';
import { withRelease } from '../support/release.ts';
import { lossOf } from '../support/router-client.ts';

describe('a node that is gone', function () {
  // Until the API server takes it for gone, and pods have been tolerated there for as long as the operator says.
  this.timeout(240_000);
  const release = withRelease('node-gone');

  it('costs the sessions of its pods alone; others take their place, though the API server still has the dead ones', async function () {
    const client = release()
      .clientOf(await release().startRouter())
      .patient();
    const pool = release().pool('spread');
    await pool.apply({ ...SMALL, replicas: 2 });
    const pods = await pool.settled(2);
    const [one, other] = pods;
    assert.ok(one && other && one.node !== other.node, 'the pods of a pool are spread over the nodes');
    needsNodesHere(this, one);
    const sessions = new Map<string, Session>();
    while (sessions.size < 2) {
      const session = await client.session();
      sessions.set(session.pod, session);
    }
    const idOn = (pod: string): string => sessions.get(pod)?.id ?? '';
    {
      await using _back = await killNode(one.node, pods);
      assert.equal((await client.run(idOn(other.name), '6 * 7')).result?.data['text/plain'], '42');
      assert.equal(await lossOf(client.get(idOn(one.name))), 'node');
      const now = await pool.podsUntil(
        (each) =>
          each.some((pod) => isOld(pod) && pod.leaving) && each.filter((pod) => pod.ready && !pod.leaving).length === 2,
      );
      assert.ok(now.every((pod) => isOld(pod) || pod.node === other.node));
      assert.equal((await client.run(idOn(other.name), '6 * 7')).result?.data['text/plain'], '42');
      await pool.conditionUntil('Ready', ({ status, message }) => status === 'True' && message.startsWith('2 of 2'));
    }
    // The node is back, and ends what it had.
    await pool.podsUntil((each) => !each.some(isOld));
    await pool.settled(2);

    function isOld({ uid }: { uid: string }): boolean {
      return uid === one?.uid;
    }
  });
});
