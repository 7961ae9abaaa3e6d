import assert from 'node:assert/strict';
import { mock } from 'node:test';
import { replPoolSpecSchema } from '@replpool/protocol';
import { ExecutionRun } from '../src/session/execution-run.ts';
import { ExecutionWatch } from '../src/session/execution-watch.ts';

const { limits } = replPoolSpecSchema.parse({}).sessions;

/** The watch of an execution that has five seconds, and ten at the most; with the steps that it took. */
function watched() {
  const request = { code: 'x', timeoutSeconds: 5 };
  const run = new ExecutionRun({ id: 'e', session: 's', request, firstSeq: 0, outputBytes: 0 });
  const steps: string[] = [];
  const step = (name: string) => () => void steps.push(name);
  const watch = new ExecutionWatch(
    run,
    { limits: { ...limits, maxExecutionSeconds: 10 }, interruptGraceSeconds: 60 },
    {
      ...{ ask: step('ask'), wake: () => undefined, stacks: async () => '', kill: step('kill') },
      ...{ warn: ({ message }) => steps.push(message), late: step('late') },
    },
  );
  return { run, watch, steps };
}

describe('the watch over an execution', () => {
  beforeEach(() => mock.timers.enable({ apis: ['setTimeout', 'setInterval'] }));
  afterEach(() => mock.timers.reset());

  it('asks once the time is over, and says which limit it was', () => {
    const { run, watch, steps } = watched();
    using _ = watch;
    mock.timers.tick(4_999);
    assert.deepEqual(steps, []);
    mock.timers.tick(1);
    assert.deepEqual(steps, ['late', 'the code was asked to stop: its time limit of 5 s was over', 'ask']);
    assert.equal(run.ending, 'timeout');
  });

  it('holds one whose threads alone wait for input to the most that any may take', () => {
    const { watch, steps } = watched();
    using _ = watch;
    watch.hold(false);
    mock.timers.tick(9_999);
    assert.deepEqual(steps, []);
    mock.timers.tick(1);
    assert.match(steps[1] ?? '', /time limit of 10 s/);
  });

  it('gives all the time there is to code that itself waits for input', () => {
    const { watch, steps } = watched();
    using _ = watch;
    watch.hold(true);
    mock.timers.tick(1_000_000);
    watch.resume({ threads: false, code: true });
    mock.timers.tick(1_000_000);
    assert.deepEqual(steps, []);
    watch.resume({ threads: false, code: false });
    mock.timers.tick(5_000);
    assert.equal(steps[0], 'late');
  });

  it('asks again at the start where a client interrupted what had not started', () => {
    const { run, watch, steps } = watched();
    using _ = watch;
    watch.interrupt();
    assert.deepEqual(steps, ['the code was asked to stop: a client interrupted it', 'ask']);
    watch.started();
    assert.deepEqual(steps.slice(2), ['ask']);
    assert.equal(run.ending, 'interrupt');
  });

  it('does nothing any more once it has ended', () => {
    const { watch, steps } = watched();
    watch[Symbol.dispose]();
    mock.timers.tick(1_000_000);
    assert.deepEqual(steps, []);
  });
});
