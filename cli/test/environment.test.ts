import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { environmentsFolder, isUsable, removeInterrupted, retargetScripts } from '../src/dev/environment-folder.ts';
import { type EnvironmentRecipe, environmentKey, readsFiles } from '../src/dev/environment-key.ts';
import { judge } from '../src/dev/python.ts';
import { projectTable } from '../src/dev/worker-source.ts';

const recipe: EnvironmentRecipe = {
  python: { executable: '/usr/bin/python3', version: '3.11.7' },
  worker: { path: '/repo/worker/src', version: '0.1.0', dependencies: ['msgpack==1.2.4'] },
  requirements: ['numpy'],
  folder: '/here',
};

describe('the name of a Python environment', () => {
  it('is the same for the same recipe, wherever the pool file lies', () => {
    assert.equal(environmentKey(recipe), environmentKey({ ...recipe, requirements: [' numpy '], folder: '/there' }));
  });

  it('differs with the Python, the worker and the requirements', () => {
    const keys = [
      recipe,
      { ...recipe, python: { ...recipe.python, version: '3.12.0' } },
      { ...recipe, worker: { ...recipe.worker, version: '0.2.0' } },
      { ...recipe, worker: { ...recipe.worker, dependencies: [] } },
      { ...recipe, requirements: ['numpy==2'] },
    ].map(environmentKey);
    assert.equal(new Set(keys).size, keys.length);
  });

  it('differs with the folder where a requirement reads files', () => {
    const local = { ...recipe, requirements: ['-r more.txt'] };
    assert.notEqual(environmentKey(local), environmentKey({ ...local, folder: '/there' }));
    assert.deepEqual(['numpy>=2', 'x @ https://a/b.whl', './x.whl', '-e x', 'wheels/x.whl'].map(readsFiles), [
      false,
      false,
      true,
      true,
      true,
    ]);
  });
});

describe('the folder of Python environments', () => {
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'replpool-test-'));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it('loses what an interrupted start left of one environment, and nothing else', async () => {
    for (const name of ['aa.tmp-1/lib', 'aa', 'bb.tmp-2']) await mkdir(join(folder, name), { recursive: true });
    await removeInterrupted(folder, 'aa');
    assert.deepEqual(
      ['aa.tmp-1', 'aa', 'bb.tmp-2'].map((name) => existsSync(join(folder, name))),
      [false, true, true],
    );
  });

  it('takes an environment for usable only with a Python that starts', async () => {
    await mkdir(join(folder, 'bin'));
    assert.equal(await isUsable(folder), false);
    await writeFile(join(folder, 'bin', 'python'), '');
    await chmod(join(folder, 'bin', 'python'), 0o755);
    assert.equal(await isUsable(folder), true);
  });

  it('has scripts that name the final place', async () => {
    await mkdir(join(folder, 'bin'));
    await writeFile(join(folder, 'bin', 'pip'), `#!${folder}/bin/python\n`);
    await retargetScripts(folder, '/final/place');
    assert.equal(await readFile(join(folder, 'bin', 'pip'), 'utf8'), '#!/final/place/bin/python\n');
  });

  it('is in the cache folder, or here where that cannot be written', async () => {
    assert.equal(await environmentsFolder({ XDG_CACHE_HOME: folder }), join(folder, 'replpool', 'envs'));
    await writeFile(join(folder, 'file'), '');
    const before = process.cwd();
    process.chdir(folder);
    try {
      assert.match(await environmentsFolder({ XDG_CACHE_HOME: join(folder, 'file') }), /\.replpool\/envs$/);
    } finally {
      process.chdir(before);
    }
  });
});

describe('a Python', () => {
  const says = (version: number[], complete = true): string =>
    JSON.stringify({ executable: '/usr/bin/python3', version, complete });

  it('is usable from 3.10 on', () => {
    assert.ok('usable' in judge('python3', says([3, 10, 0])));
    assert.ok('usable' in judge('python3', says([4, 0, 0])));
    assert.deepEqual(judge('python3', says([3, 9, 18])), { unusable: 'python3 is 3.9.18' });
  });

  it('needs venv and ensurepip, which some distributions leave out', () => {
    assert.deepEqual(judge('python3', says([3, 11, 2], false)), {
      unusable: 'python3 lacks the modules venv and ensurepip',
    });
  });
});

describe("the worker's pyproject.toml", () => {
  it('tells version and dependencies, and not those of other tables', () => {
    const toml = `[build-system]\nrequires = ["setuptools"]\n\n[project]\nname = "w"\nversion = "0.1.0"\ndependencies = [\n  "msgpack==1.2.4",  # "frames"\n  'jedi',\n]\n\n[project.optional-dependencies]\ndev = ["ruff"]\n\n[tool.x]\nversion = "9"\ndependencies = ["no"]\n`;
    assert.deepEqual(projectTable(toml), { version: '0.1.0', dependencies: ['msgpack==1.2.4', 'jedi'] });
  });
});
