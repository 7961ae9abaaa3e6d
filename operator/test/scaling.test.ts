import assert from 'node:assert/strict';
import { autoscale, isAtMaximum, recommend } from '../src/pool/autoscale.ts';
import { slowStart } from '../src/pool/slow-start.ts';

const settings = { minReplicas: 1, maxReplicas: 10, targetFreeSessions: 8, scaleDownDelaySeconds: 300 };
const demand = (active: number) => ({ active, perPod: 32, serving: 0, unheard: 0 });

describe('autoscaling on free sessions', () => {
  it('leaves the target free, within its bounds', () => {
    assert.equal(recommend(settings, 0, 32), 1);
    assert.equal(recommend(settings, 25, 32), 2);
    assert.equal(recommend(settings, 10_000, 32), 10);
    assert.equal(recommend({ ...settings, targetFreeSessions: 0, minReplicas: 0 }, 0, 32), 0);
  });

  it('says when more would be right than there may be', () => {
    assert.equal(isAtMaximum(settings, 312, 32), false);
    assert.equal(isAtMaximum(settings, 313, 32), true);
  });

  it('goes up at once, and down only when the delay has passed since it was needed', () => {
    let seen = autoscale(settings, demand(100), 0, []);
    assert.equal(seen.replicas, 4);
    seen = autoscale(settings, demand(0), 1_000, seen.history);
    assert.equal(seen.replicas, 4);
    seen = autoscale(settings, demand(200), 2_000, seen.history);
    assert.equal(seen.replicas, 7);
    seen = autoscale(settings, demand(40), 301_000, seen.history);
    assert.equal(seen.replicas, 7);
    seen = autoscale(settings, demand(0), 302_001, seen.history);
    assert.equal(seen.replicas, 2);
  });
});

describe('slow start', () => {
  it('doubles its batches as long as they succeed', async () => {
    const running: number[] = [];
    let now = 0;
    const make = async () => {
      now += 1;
      running.push(now);
      await new Promise((resolve) => setImmediate(resolve));
      now = 0;
    };
    assert.deepEqual(await slowStart(7, make), { made: 7 });
    assert.deepEqual(running, [1, 1, 2, 1, 2, 3, 4]);
  });

  it('stops at the first failure and says what was made', async () => {
    let calls = 0;
    const make = () => {
      calls += 1;
      return calls < 3 ? Promise.resolve() : Promise.reject(new Error('quota'));
    };
    const { made, failed } = await slowStart(100, make);
    assert.equal(made, 1 + 1);
    assert.match(String(failed), /quota/);
    assert.equal(calls, 3);
  });
});
