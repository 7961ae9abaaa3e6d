import assert from 'node:assert/strict';
import type { z } from 'zod';
import {
  channelInputSchema,
  createSessionSchema,
  errorCodes,
  errorDefinition,
  executeRequestSchema,
  inputRequestSchema,
  parse,
  problemSchema,
  ReplPoolError,
} from '../src/index.ts';

function refusal(schema: z.ZodType, value: unknown): ReplPoolError {
  try {
    parse(schema, value);
  } catch (error) {
    assert.ok(error instanceof ReplPoolError);
    return error;
  }
  return assert.fail('was not refused');
}

describe('the error registry', () => {
  for (const code of errorCodes) {
    it(`${code} has a cause, a remedy, and Retry-After where its status asks for it`, () => {
      const { status, title, why, how, retryAfterSeconds } = errorDefinition(code);
      for (const text of [title, why, how]) assert.ok(text.length > 5, text);
      assert.equal(retryAfterSeconds !== undefined, status === 429 || status === 503);
    });
  }

  it('makes a problem that its own schema takes, and that comes back as the same error', () => {
    const cause = new Error('secret');
    const error = new ReplPoolError('SESSION_LOST', 'session 1 is lost', { details: { reason: 'oom' }, cause });
    const problem = problemSchema.parse(JSON.parse(JSON.stringify(error.toProblem())));
    assert.equal(problem.status, 410);
    assert.equal(JSON.stringify(problem).includes('secret'), false);
    assert.equal(error.cause, cause);
    assert.deepEqual(ReplPoolError.fromProblem(problem).toProblem(), problem);
  });
});

describe('a request that is refused', () => {
  const cases: [string, z.ZodType, unknown, string][] = [
    ['an unknown field', createSessionSchema, { snapshots: 1 }, 'snapshots'],
    ['a field of a later feature', createSessionSchema, { restoreFrom: 'x' }, 'restoreFrom'],
    [
      'a policy that there is not',
      executeRequestSchema,
      { code: '1', transaction: { policy: 'maybe' } },
      'transaction.policy',
    ],
    ['a nested field', createSessionSchema, { limits: { memory: 'much' } }, 'limits.memory'],
    ['a nested unknown field', createSessionSchema, { limits: { ram: '1Gi' } }, 'limits.ram'],
    ['an id that is no UUID', createSessionSchema, { id: 'mine' }, 'id'],
    ['an execution id with a slash', executeRequestSchema, { code: '1', id: 'a/b' }, 'id'],
    ['an execution id that is too long', executeRequestSchema, { code: '1', id: 'a'.repeat(129) }, 'id'],
    ['a missing field', executeRequestSchema, {}, 'code'],
    ['neither value nor eof', channelInputSchema, { type: 'input', execution: 'e' }, 'value'],
    ['both value and eof', channelInputSchema, { type: 'input', execution: 'e', value: '', eof: true }, 'value'],
    ['a value of the wrong type in a union', inputRequestSchema, { value: 5 }, 'value'],
    ['the name of an environment variable', createSessionSchema, { env: { 'A=B': '' } }, 'env.A=B'],
  ];
  for (const [name, schema, value, field] of cases) {
    it(`names the field: ${name}`, () => {
      const error = refusal(schema, value);
      assert.equal(error.code, 'INVALID_REQUEST');
      assert.equal(error.details?.field, field);
      assert.ok(error.what.includes(field), error.what);
    });
  }

  it('says so where the whole body is not an object', () => {
    assert.equal(refusal(executeRequestSchema, 'x').details?.field, '');
  });
});
