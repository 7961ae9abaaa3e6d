import assert from 'node:assert/strict';
import { Readiness } from '../src/readiness.ts';

/** A router's readiness, and what it depends on. */
function router({ discovers = true }: { discovers?: boolean } = {}) {
  const directory = { listed: false, heardOnce: false, settling: false, agents: [] as { gone: boolean }[] };
  const authenticator = { ready: true };
  const readiness = new Readiness({ directory: directory as never, authenticator, discovers });
  return { directory, authenticator, readiness, code: () => readiness.notReady()?.code };
}

describe('a router is ready', () => {
  it('once it knows that there are no agents', () => {
    const { directory, code } = router();
    assert.equal(code(), 'WARMING');
    directory.listed = true;
    assert.equal(code(), undefined);
  });

  it('once it has heard one of those that there are', () => {
    const { directory, code } = router();
    directory.listed = true;
    directory.agents.push({ gone: true }, { gone: false });
    assert.equal(code(), 'WARMING');
    directory.heardOnce = true;
    assert.equal(code(), undefined);
  });

  it('not before each of those that were there first was heard, or had its time', () => {
    const { directory, code } = router();
    directory.listed = true;
    directory.heardOnce = true;
    directory.settling = true;
    assert.equal(code(), 'WARMING');
    directory.settling = false;
    assert.equal(code(), undefined);
  });

  it('where all of them are gone: somebody must say so', () => {
    const { directory, code } = router();
    directory.listed = true;
    directory.agents.push({ gone: true });
    assert.equal(code(), undefined);
  });

  it('not for a list that a parent has yet to fill', () => {
    const { directory, code } = router({ discovers: false });
    directory.listed = true;
    assert.equal(code(), 'WARMING');
    directory.heardOnce = true;
    assert.equal(code(), undefined);
  });

  it('not before it can tell callers apart', () => {
    const { directory, authenticator, code } = router();
    directory.listed = true;
    authenticator.ready = false;
    assert.equal(code(), 'WARMING');
  });

  it('and stays so, whatever becomes of the agents, until it drains', () => {
    const { directory, readiness, code } = router();
    directory.listed = true;
    assert.equal(code(), undefined);
    directory.agents.push({ gone: false });
    assert.equal(code(), undefined);
    readiness.drain();
    assert.equal(code(), 'DRAINING');
  });
});
