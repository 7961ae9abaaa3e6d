import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DevService } from './support/dev-service.ts';
import { isAlive, until } from './support/processes.ts';

const gone = 5_000;

interface Result {
  readonly data: Record<string, string>;
}

describe('replpool dev', function () {
  this.timeout(180_000);

  it('serves a session in which x = 41, then x + 1 gives 42', async () => {
    await using dev = await DevService.start();
    const session = await dev.post('/v1/sessions', {});
    assert.equal(session.status, 201, JSON.stringify(session.body));
    assert.equal(session.status, 201);
    const path = `/v1/sessions/${session.body.id}/executions`;
    assert.equal((await dev.post(path, { code: 'x = 41' })).body.status, 'ok');
    const { body } = await dev.post(path, { code: 'x + 1' });
    assert.equal((body.result as Result).data['text/plain'], '42');
    assert.match(dev.stdout, /not for production/);
    assert.match(dev.stdout, /isolation\.level is None/);
  });

  it("has each agent's name in exactly one command line, and starts a killed agent again; its sessions are lost", async () => {
    await using dev = await DevService.start();
    const session = await dev.post('/v1/sessions', {});
    assert.equal(session.status, 201, JSON.stringify(session.body));
    const pod = String(session.body.pod);
    const named = (): { pid: number }[] => dev.processes().filter((it) => it.command.split(' ').includes(pod));
    const [agent] = named();
    assert.equal(named().length, 1);
    assert.ok(agent);
    process.kill(agent.pid, 'SIGKILL');
    await until(() => dev.stderr.includes(`${pod} ended (signal SIGKILL)`), 2_000);
    const path = `/v1/sessions/${session.body.id}/executions`;
    const lost = await dev.post(path, { code: '1' });
    assert.deepEqual([lost.status, lost.body.code], [410, 'SESSION_LOST']);
    await until(() => dev.stderr.includes('started again'), 20_000);
    assert.equal(named().length, 1);
    for (let n = 0; n < 4; n += 1) assert.equal((await dev.post('/v1/sessions', {})).status, 201);
  });

  it('ends every process on SIGINT, also when it comes twice, and leaves no folder', async () => {
    await using dev = await DevService.start();
    await dev.url();
    const pids = dev.processes().map((it) => it.pid);
    assert.ok(pids.length >= 4, 'dev, router, and two agents at least');
    dev.child.kill('SIGINT');
    dev.child.kill('SIGINT');
    assert.equal(await dev.exited(), 0);
    assert.deepEqual(dev.processes(), []);
    assert.deepEqual(readdirSync(dev.folder), []);
  });

  describe('killed with kill -9', () => {
    let cache = '';
    before(async () => {
      cache = await mkdtemp(join('/tmp', 'rp-cache-'));
    });
    after(async () => {
      await rm(cache, { recursive: true, force: true, maxRetries: 5 });
    });

    const phases: [string, RegExp | number][] = [
      ['at once', 60],
      ['while it makes the Python environment', /making a Python/],
      ['while pip installs', /Collecting/],
      ['while the zygotes warm', /router on/],
      ['just after an agent is ready', /is ready/],
    ];
    for (const [when, phase] of phases) {
      it(`leaves no process after 5 s: ${when}`, async () => {
        await using dev = await DevService.start(undefined, { XDG_CACHE_HOME: cache });
        if (typeof phase === 'number') await new Promise((resolve) => setTimeout(resolve, phase));
        else await until(() => phase.test(dev.stderr), 120_000);
        dev.child.kill('SIGKILL');
        await until(() => dev.processes().length === 0, gone);
      });
    }

    it('leaves no process after 5 s: in use, with a child of the code in a session of its own', async () => {
      await using dev = await DevService.start();
      const session = await dev.post('/v1/sessions', {});
      assert.equal(session.status, 201, JSON.stringify(session.body));
      const code = 'import subprocess\nsubprocess.Popen(["sleep", "300"], start_new_session=True).pid';
      const { body } = await dev.post(`/v1/sessions/${session.body.id}/executions`, { code });
      const pid = Number((body.result as Result).data['text/plain']);
      assert.ok(isAlive(pid));
      dev.child.kill('SIGKILL');
      await until(() => dev.processes().length === 0 && !isAlive(pid), gone);
    });
  });

  it('ends with 3 and the reason where the zygote cannot warm', async () => {
    const folder = await mkdtemp(join('/tmp', 'rp-pool-'));
    const file = join(folder, 'broken.yaml');
    const { writeFile } = await import('node:fs/promises');
    await writeFile(
      file,
      'apiVersion: replpool.dev/v1alpha1\nkind: ReplPool\nmetadata: {name: broken}\nspec: {runtime: {preload: [no_such_module]}}\n',
    );
    try {
      await using dev = await DevService.start(['-f', file]);
      assert.equal(await dev.exited(), 3);
      assert.match(dev.stderr, /does not warm: [\s\S]*no_such_module/);
      assert.deepEqual(dev.processes(), []);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
