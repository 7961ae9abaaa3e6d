import assert from 'node:assert/strict';
import { pino } from 'pino';
import { as, Harness, ids, keys } from './harness.ts';

describe('the audit log', () => {
  it('has a line per create, delete and denied, and no key', async () => {
    const lines: string[] = [];
    const log = pino({}, { write: (line: string) => void lines.push(line) });
    await using it = await Harness.start(undefined, keys, log);
    await it.call('POST', '/v1/sessions', { id: ids.a }, as('ann'));
    await it.call('GET', `/v1/sessions/${ids.a}`, undefined, as('bob'));
    await it.call('GET', `/v1/sessions/${ids.a}`);
    await it.call('DELETE', `/v1/sessions/${ids.a}`, undefined, as('ann'));
    const said = lines.map((line) => JSON.parse(line)).filter((line) => line.audit === true);
    assert.deepEqual(
      said.map(({ action, owner, code }) => [action, owner, code]),
      [
        ['create', 'ann', undefined],
        ['denied', 'bob', 'FORBIDDEN'],
        ['denied', undefined, 'UNAUTHENTICATED'],
        ['delete', 'ann', undefined],
      ],
    );
    assert.ok(!lines.join('').includes('-key'));
  });
});
