import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { forkedSchema, fromLauncherSchema, toLauncherSchema, toWorkerSchema } from '../src/index.ts';

const path = new URL('../vectors/frames.json', import.meta.url);
const { frames } = JSON.parse(readFileSync(path, 'utf8')) as { frames: { name: string; message: unknown }[] };

function golden(name: string): Record<string, unknown> {
  const vector = frames.find((one) => one.name === name);
  assert.ok(vector, name);
  return vector.message as Record<string, unknown>;
}

const isToWorker = (message: unknown): boolean => toWorkerSchema.safeParse(message).success;

describe('frames of branches', () => {
  for (const name of [
    'branches are asked for',
    'a twin is to be the worker',
    'a branch is to be a session',
    'a twin is to be taken before others',
  ]) {
    it(`to a worker: ${name}`, () => assert.ok(isToWorker(golden(name))));
  }

  it('to the launcher: a branch is adopted, and a twin, which has no directory', () => {
    const adopt = golden('a branch is adopted');
    assert.ok(toLauncherSchema.safeParse(adopt).success);
    const { directory: _, ...twin } = adopt;
    assert.ok(toLauncherSchema.safeParse(twin).success);
    assert.ok(fromLauncherSchema.safeParse(golden('a branch was adopted')).success);
  });

  it('from a worker: the processes of the branches', () => {
    const { value } = golden('branches are there');
    assert.deepEqual(forkedSchema.parse(value), { pids: [4243, 70000], costMs: 1.5 });
  });

  it('there is no fork of nothing, no half a branch and no step above 1,000', () => {
    const { branch, ...resume } = golden('a branch is to be a session');
    const { cwd: _, ...half } = branch as Record<string, unknown>;
    assert.equal(isToWorker({ ...golden('branches are asked for'), branches: [] }), false);
    assert.equal(isToWorker({ ...resume, branch: half }), false);
    assert.equal(isToWorker({ ...golden('a twin is to be taken before others'), step: 1001 }), false);
  });
});
