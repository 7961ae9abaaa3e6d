import assert from 'node:assert/strict';
import { ReplPoolError } from '@replpool/protocol';
import type { AgentDirectory } from '../src/agent-directory.ts';
import { refusalOf, verbOf } from '../src/auth/access.ts';
import { ALL, type Caller, OWN, type Verb } from '../src/auth/caller.ts';
import { defaultPoolOf } from '../src/default-pool.ts';
import { locateToFork } from '../src/fork.ts';
import { lookUp } from '../src/locate.ts';
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
    ['POST', '/transaction/rollback', 'connect'],
    ['POST', '/undo', 'connect'],
    ['POST', '/fork', 'connect'],
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

describe('live copies of a session', () => {
  const directory = {
    session: () => ({ agent: { pool: 'team:data', up: true }, owner: 'bob', isOurs: true }),
  } as never;
  const refused = async (who: Caller) => {
    const found = await locateToFork(directory, 'id', who);
    return found instanceof ReplPoolError ? [found.code, found.toProblem().details?.verb] : undefined;
  };
  it('are made by who has the right to make sessions in its pool, the owner too', async () => {
    assert.equal(await refused({ ...caller('create team:data'), name: 'bob' }), undefined);
    assert.deepEqual(await refused({ ...caller('create other:data'), name: 'bob' }), ['FORBIDDEN', 'create']);
  });
  it('are made by others who have the right to its session besides', async () => {
    assert.equal(await refused(caller('create team:data', 'connect team:data')), undefined);
    assert.deepEqual(await refused(caller('connect team:data')), ['FORBIDDEN', 'create']);
    assert.deepEqual(await refused(caller('create team:data', 'get team:data')), ['FORBIDDEN', 'connect']);
  });
});

describe('the pool that a caller means', () => {
  const heard = (pool: string) => ({ pool, isHeard: true });
  const members = [heard('a:data'), heard('b:data'), heard('b:small'), { pool: 'c:data', isHeard: false }];
  const anybody: Caller = { name: 'ann', rights: OWN };
  const chosen = async (who: Caller, wanted?: string) => codeOf(await choosePool(who, members, wanted, 'create'));

  it('is the only one where they may create sessions', async () => {
    assert.equal(await chosen(caller('create b:data')), 'b:data');
    assert.equal(await chosen(caller('create b:data'), 'data'), 'b:data');
    assert.equal(await chosen(anybody, 'small'), 'b:small');
  });
  it('must be said by its whole name where several are open to them', async () => {
    for (const [who, wanted] of [
      [caller('create a:data', 'create b:data')],
      [caller('create a:data', 'create b:data'), 'data'],
      [anybody, 'data'],
    ] as const) {
      const refused = await choosePool(who, members, wanted, 'create');
      assert.ok(refused instanceof ReplPoolError);
      assert.deepEqual([refused.code, refused.toProblem().details?.field], ['INVALID_REQUEST', 'pool']);
      assert.ok(
        ['a:data', 'b:data'].every((pool) => refused.message.includes(pool)),
        refused.message,
      );
      assert.equal(await chosen(who, 'b:data'), 'b:data');
    }
  });
  it('is not one whose agents were never heard, unless its whole name is said', async () => {
    assert.equal(await chosen(caller('create b:data', 'create c:data')), 'b:data');
    assert.equal(await chosen(caller('create b:data', 'create c:data'), 'data'), 'b:data');
    assert.equal(await chosen(caller('create c:data'), 'data'), 'WARMING');
    assert.equal(await chosen(caller('create c:data')), 'WARMING');
    assert.equal(await chosen(caller('create c:data'), 'c:data'), 'c:data');
  });
  it('without a wish is what the router is configured with, and the first only where no tenant names it', () => {
    const [discovery, defaultPool] = [{}, 'b:data'];
    assert.equal(defaultPoolOf({ discovery }, members), undefined);
    assert.equal(defaultPoolOf({ discovery, defaultPool }, members), 'b:data');
    assert.equal(defaultPoolOf({ defaultPool }, members), 'b:data');
    assert.equal(defaultPoolOf({}, members), 'a:data');
  });
  it('is the same to who has no right there by half a name, whether it is there or not', async () => {
    assert.deepEqual(
      [await chosen(caller('create b:data'), 'small'), await chosen(caller('create b:data'), 'none')],
      ['POOL_NOT_FOUND', 'POOL_NOT_FOUND'],
    );
  });
  it('is refused without the right, whether there is such a pool or not', async () => {
    assert.equal(await chosen(caller('create b:data'), 'a:data'), 'FORBIDDEN');
    assert.equal(await chosen(caller('create b:data'), 'a:none'), 'FORBIDDEN');
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

describe('an agent that tells of a session', () => {
  const told = (isOurs: boolean): AgentDirectory =>
    ({
      session: () => ({ agent: { pool: 'evil:data', up: true }, owner: 'ann', isOurs }),
      isContested: () => false,
      tombstone: () => undefined,
    }) as never;
  const found = async (isOurs: boolean, ...rights: string[]) =>
    (await lookUp(told(isOurs), 'id', caller(...rights), 'connect')) !== undefined;

  it('is believed by who has to do with its pool alone, also of their own', async () => {
    assert.equal(await found(false), false);
    for (const verb of ['create', 'list', 'connect']) assert.equal(await found(false, `${verb} evil:data`), true);
  });
  it('is believed by all of what was made through this router', async () => {
    assert.equal(await found(true), true);
  });
});

describe('the agents that are asked for a session', () => {
  const agents = [{ pool: 'a:data' }, { pool: 'b:data' }, { pool: 'c:data' }];
  it('are those of pools that are the caller’s business', async () => {
    const asked = await agentsFor(caller('create a:data', 'get b:data', 'delete c:data'), agents, 'get');
    assert.deepEqual(asked, [{ pool: 'a:data' }, { pool: 'b:data' }]);
  });
});
