import assert from 'node:assert/strict';
import { isPool, resolvePool } from '../src/index.ts';

describe('the name of a pool', () => {
  it('means a pool by itself alone too, and without one the first pool', () => {
    assert.equal(resolvePool(['team:data', 'small'], 'data'), 'team:data');
    assert.equal(resolvePool(['team:data', 'small'], undefined), 'team:data');
    assert.equal(resolvePool(['team:data'], 'ata'), undefined);
    assert.equal(resolvePool(['team:data', 'data'], 'data'), 'data');
    assert.ok(isPool('team:data', 'data') && isPool('team:data', 'team:data') && !isPool('team:data', 'team'));
  });
});
