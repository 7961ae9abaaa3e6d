import assert from 'node:assert/strict';
import { ReplPoolError } from '@replpool/protocol';
import { refusalOf, verbOf } from '../src/auth/access.ts';
import { ALL, type Caller, OWN, type Verb } from '../src/auth/caller.ts';
import { agentsFor, choosePool } from '../src/visible-pools.ts';

/** A caller with these rights, as `create team:data`; each is asked for, as of the API server. */
const caller = (...rights: string[]): Caller => ({
  name: 'ann',
  rights: { may: async (verb, pool) => rights.includes(`${verb} ${pool}`) },
});
const codeOf = (result: unknown) => (result instanceof ReplPoolError ? result.code : result);

describe('what a request to a session needs', () => {
  const requests: [string, string, Verb][] = [
    ['GET', '', 'get'],
    ['HEAD', '', 'get'],
    ['GET', '/executions', 'get'],
    ['GET', '/executions/x/events', 'get'],
    ['GET', '/variables', 'get'],
    ['GET', '/files/a', 'get'],
    ['DELETE', '', 'delete'],
    ['GET', '/channel', 'connect'],
    ['PATCH', '', 'connect'],
    ['POST', '/executions', 'connect'],
    ['DELETE', '/executions/x', 'connect'],
    ['POST', '/executions/x/input', 'connect'],
    ['POST', '/interrupt', 'connect'],
    ['POST', '/restart', 'connect'],
    ['POST', '/complete', 'connect'],
    ['PUT', '/files/a', 'connect'],
    ['DELETE', '/files/a', 'connect'],
  ];
  for (const [method, rest, verb] of requests) {
    it(`is ${verb} for ${method} …${rest}`, () => assert.equal(verbOf(method, rest), verb));
  }
});

describe('a session', () => {
  const session = { owner: 'ann', pool: 'team:data' };
  it('is its owner’s to do anything with, without another right, and at once', () => {
    for (const verb of ['get', 'delete', 'connect'] as const) {
      assert.equal(refusalOf(caller(), verb, session), undefined);
    }
  });
  it('is open to others by the very right in its very pool', async () => {
    const others = { ...session, owner: 'bob' };
    assert.equal(await refusalOf(caller('get team:data'), 'get', others), undefined);
    assert.equal(codeOf(await refusalOf(caller('get team:data'), 'connect', others)), 'FORBIDDEN');
    assert.equal(codeOf(await refusalOf(caller('get other:data'), 'get', others)), 'FORBIDDEN');
  });
  it('is an admin’s too where there are admins', () => {
    const others = { ...session, owner: 'bob' };
    assert.equal(refusalOf({ name: 'root', rights: ALL }, 'connect', others), undefined);
    assert.equal(codeOf(refusalOf({ name: 'ann', rights: OWN }, 'get', others)), 'FORBIDDEN');
  });
});

describe('the pool that a caller means', () => {
  const members = [{ pool: 'a:data' }, { pool: 'b:data' }, { pool: 'b:data' }, { pool: 'b:small' }];
  const chosen = async (who: Caller, wanted?: string) => codeOf(await choosePool(who, members, wanted, 'create'));

  it('is the first one where they may create sessions', async () => {
    assert.equal(await chosen(caller('create b:data', 'create b:small')), 'b:data');
    assert.equal(await chosen(caller('create b:data'), 'data'), 'b:data');
    assert.equal(await chosen({ name: 'ann', rights: OWN }), 'a:data');
  });
  it('is refused without the right, whether there is such a pool or not', async () => {
    assert.equal(await chosen(caller('create b:data'), 'a:data'), 'FORBIDDEN');
    assert.equal(await chosen(caller('create b:data'), 'a:none'), 'FORBIDDEN');
    assert.equal(await chosen(caller('create b:data'), 'small'), 'FORBIDDEN');
    assert.equal(await chosen(caller()), 'FORBIDDEN');
  });
  it('is not named in a refusal of who does not know it', async () => {
    const refused = await choosePool(caller(), members, 'data', 'create');
    assert.ok(refused instanceof ReplPoolError);
    assert.ok(!JSON.stringify(refused.toProblem()).includes('a:data'));
  });
  it('is not found where it is not there, by who might have it', async () => {
    assert.equal(await chosen(caller('create b:none'), 'b:none'), 'POOL_NOT_FOUND');
    assert.equal(await chosen({ name: 'ann', rights: OWN }, 'none'), 'POOL_NOT_FOUND');
    assert.equal(codeOf(await choosePool(caller(), [], undefined, 'create')), 'WARMING');
  });
  it('can be looked at by who may create or list there', async () => {
    assert.equal(await choosePool(caller('list a:data'), members, 'a:data'), 'a:data');
    assert.equal(codeOf(await choosePool(caller('get a:data'), members, 'a:data')), 'FORBIDDEN');
  });
});

describe('the agents that are asked for a session', () => {
  const agents = [{ pool: 'a:data' }, { pool: 'b:data' }, { pool: 'c:data' }];
  it('are those of pools that are the caller’s business', async () => {
    const asked = await agentsFor(caller('create a:data', 'get b:data', 'delete c:data'), agents, 'get');
    assert.deepEqual(asked, [{ pool: 'a:data' }, { pool: 'b:data' }]);
  });
});
