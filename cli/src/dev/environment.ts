import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isUsable, removeInterrupted, retargetScripts } from './environment-folder.ts';
import { type EnvironmentRecipe, environmentKey } from './environment-key.ts';
import { holdLock, runGuarded } from './guard.ts';

export interface EnvironmentOptions {
  readonly recipe: EnvironmentRecipe;
  /** Folder of all environments. */
  readonly folder: string;
  readonly signal: AbortSignal;
  readonly progress: (line: string) => void;
}

const pipOptions = ['--disable-pip-version-check', '--no-input', '--progress-bar', 'off'];
const told = /^\s*(Collecting|Downloading|Building wheel|Installing collected packages|Successfully installed)/;

async function sitePackages(environment: string): Promise<string> {
  const lib = join(environment, 'lib');
  const version = (await readdir(lib)).find((name) => name.startsWith('python3'));
  return join(lib, version ?? 'python3', 'site-packages');
}

async function fill(environment: string, options: EnvironmentOptions): Promise<void> {
  const { recipe, signal, progress } = options;
  const guarded = (command: readonly string[], onLine?: (line: string) => void): Promise<void> =>
    runGuarded({
      python: recipe.python.executable,
      command,
      cwd: recipe.folder,
      signal,
      ...(onLine === undefined ? {} : { onLine }),
    });
  progress(`making a Python ${recipe.python.version} environment`);
  await guarded([recipe.python.executable, '-I', '-m', 'venv', environment]);
  const requirements = join(environment, 'requirements.txt');
  await writeFile(requirements, `${[...recipe.worker.dependencies, ...recipe.requirements].join('\n')}\n`);
  const pip = [join(environment, 'bin', 'python'), '-I', '-m', 'pip', 'install', ...pipOptions];
  // pip resolves paths of a requirements file by its working folder, which is the ReplPool file's.
  await guarded([...pip, '-r', requirements], (line) => {
    if (told.test(line)) progress(line.trim());
  });
  // The worker itself runs from where it lies, so that an edit needs no new environment.
  await writeFile(join(await sitePackages(environment), 'replpool_worker.pth'), `${recipe.worker.path}\n`);
}

/**
 * Path of a Python that has the worker, its dependencies and the requirements. Made once for a recipe: under a lock, in a folder with a
 * temporary name that gets its real one when it is whole, so that an interrupted start leaves nothing that looks finished.
 */
export async function preparePython(options: EnvironmentOptions): Promise<string> {
  const { folder, recipe, signal } = options;
  const key = environmentKey(recipe);
  const environment = join(folder, key);
  const python = join(environment, 'bin', 'python');
  if (await isUsable(environment)) return python;

  await using _lock = await holdLock(recipe.python.executable, join(folder, `${key}.lock`), signal, () =>
    options.progress('another start is making this environment, waiting for it'),
  );
  if (await isUsable(environment)) return python;
  await removeInterrupted(folder, key);
  await rm(environment, { recursive: true, force: true });
  const temporary = join(folder, `${key}.tmp-${process.pid}`);
  try {
    await mkdir(temporary);
    await fill(temporary, options);
    await retargetScripts(temporary, environment);
    await rename(temporary, environment);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true, maxRetries: 10 });
    throw error;
  }
  return python;
}
