import assert from 'node:assert/strict';
import { SESSION_HEADER } from '@replpool/protocol';
import { pino } from 'pino';
import { as, Harness, ids, keys } from './harness.ts';

describe('the audit log', () => {
  const lines: string[] = [];
  const log = pino({}, { write: (line: string) => void lines.push(line) });
  const said = () => lines.map((line) => JSON.parse(line)).filter((line) => line.audit === true);
  beforeEach(() => {
    lines.length = 0;
  });

  it('has a line per create, delete and denied: who did it, whose session it is, and where; and no key', async () => {
    await using it = await Harness.start(undefined, keys, log);
    await it.call('POST', '/v1/sessions', { id: ids.a }, as('ann'));
    await it.call('GET', `/v1/sessions/${ids.a}`, undefined, as('bob'));
    await it.call('GET', `/v1/sessions/${ids.a}`);
    await it.call('DELETE', `/v1/sessions/${ids.a}`, undefined, as('root'));
    const facts = said().map(({ action, caller, owner, pool, session, code }) => ({
      ...{ action, caller, owner, pool, session, code },
    }));
    const ofSession = { owner: 'ann', pool: 'data', session: ids.a, code: undefined };
    const nobody = { owner: undefined, pool: undefined };
    assert.deepEqual(facts, [
      { action: 'create', caller: 'ann', ...ofSession },
      { action: 'denied', caller: 'bob', ...nobody, session: ids.a, code: 'FORBIDDEN' },
      { action: 'denied', caller: undefined, ...nobody, session: undefined, code: 'UNAUTHENTICATED' },
      { action: 'delete', caller: 'root', ...ofSession },
    ]);
    assert.ok(!lines.join('').includes('-key'));
  });

  it('has a line for the session of one-shot code, by the id that its agent is told', async () => {
    await using it = await Harness.start(undefined, keys, log);
    const told: unknown[] = [];
    it.agent.handle = (req, res) => {
      told.push(req.headers[SESSION_HEADER]);
      res.end('{}');
    };
    await it.call('POST', '/v1/run', { code: '1+1' }, { ...as('ann'), [SESSION_HEADER]: ids.a });
    await it.call('POST', '/v1/run', { code: 1 }, as('ann'));
    const [line, ...more] = said();
    assert.deepEqual([line?.action, line?.caller, line?.owner, line?.pool], ['create', 'ann', 'ann', 'data']);
    assert.deepEqual(told, [line?.session]);
    assert.notEqual(line?.session, ids.a);
    assert.deepEqual(more, []);
  });

  it('has a line for one-shot code whose answer broke off, for it may have run', async () => {
    await using it = await Harness.start(undefined, keys, log);
    it.agent.handle = (_req, res) => {
      res.writeHead(200, { 'content-length': 1_000 }).write('{');
      setImmediate(() => res.destroy());
    };
    await it.call('POST', '/v1/run', { code: '1+1' }, as('ann')).catch(() => undefined);
    await it.until(() => said().length === 1);
    assert.deepEqual([said()[0]?.action, said()[0]?.caller], ['create', 'ann']);
  });
});
