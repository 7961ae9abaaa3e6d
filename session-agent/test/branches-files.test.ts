import assert from 'node:assert/strict';
import { RealAgent } from './real-agent.ts';
import { SessionClient } from './session-client.ts';

describe('the working folder of a branch', () => {
  let agent: RealAgent;
  let parent: SessionClient;
  before(async () => {
    agent = await RealAgent.start({ sessions: { minIdle: 0 } });
  });
  after(() => agent.close());
  beforeEach(async () => {
    parent = await SessionClient.create(agent);
  });
  const branch = async () => {
    const { http, body } = await parent.fork();
    assert.equal(http, 201, JSON.stringify(body));
    const [made] = body.items;
    assert.ok(made);
    return new SessionClient(agent, made.id);
  };

  it('has the holes of files, which cost no disk', async () => {
    await parent.run('f = open("sparse", "wb"); f.write(b"a"); f.seek(256 << 20); f.write(b"z"); f.close()');
    const its = await branch();
    const seen =
      'import os\nf = open("sparse", "rb"); s = os.stat("sparse")\ns.st_size, s.st_blocks * 512 < 4 << 20, f.read(2), f.seek(256 << 20), f.read()';
    assert.equal(await its.value(seen), "(268435457, True, b'a\\x00', 268435456, b'z')");
  });

  it('has content, rights and times', async () => {
    await parent.run(
      'import os, random\ndata = random.randbytes((3 << 20) + 7)\nopen("f", "wb").write(data); os.chmod("f", 0o640); os.utime("f", (1, 2)); open("empty", "w").close()',
    );
    const its = await branch();
    const seen =
      'open("f", "rb").read() == data, oct(os.stat("f").st_mode), os.stat("f").st_mtime, os.path.getsize("empty")';
    assert.equal(await its.value(seen), "(True, '0o100640', 2.0, 0)");
  });

  it('has names that are no text, and paths longer than a call takes', async () => {
    await parent.run(
      'import os\nopen(b"\\xff", "w").close(); os.symlink(b"\\xfe", b"\\xfd")\nhome = os.getcwd()\nfor _ in range(40): os.mkdir("x" * 200); os.chdir("x" * 200)\nopen("deep", "w").close()\nos.chdir(home)',
    );
    const its = await branch();
    assert.equal(
      await its.value('sorted(os.listdir(b"."))[1:], os.readlink(b"\\xfd")'),
      "([b'\\xfd', b'\\xff'], b'\\xfe')",
    );
    assert.equal(await its.value('for _ in range(40): os.chdir("x" * 200)\nos.listdir(".")'), "['deep']");
  });
});

describe('an agent that ends while a fork waits', () => {
  it('does not wait for what runs before it', async () => {
    const agent = await RealAgent.start({ sessions: { minIdle: 0 } });
    const parent = await SessionClient.create(agent);
    const running = await parent.begin('print("go", flush=True)\nimport time; time.sleep(600)', { id: 'long' });
    await parent.prints('long', 'go');
    const forked = parent.fork();
    await parent.begin('1', { id: 'behind' });
    const began = performance.now();
    await agent.close();
    assert.ok(performance.now() - began < 10_000);
    assert.equal((await running.ended).body.status, 'killed');
    assert.equal((await forked).code, 'SESSION_LOST');
  });
});
