import assert from 'node:assert/strict';
import { isPool, poolsNamed } from '../src/index.ts';

describe('the name of a pool', () => {
  it('means a pool by itself alone too, and each that is called so', () => {
    assert.deepEqual(poolsNamed(['team:data', 'small'], 'data'), ['team:data']);
    assert.deepEqual(poolsNamed(['a:data', 'b:data'], 'data'), ['a:data', 'b:data']);
    assert.deepEqual(poolsNamed(['team:data'], 'ata'), []);
    assert.deepEqual(poolsNamed(['team:data', 'data'], 'data'), ['data']);
    assert.ok(isPool('team:data', 'data') && isPool('team:data', 'team:data') && !isPool('team:data', 'team'));
  });
});
