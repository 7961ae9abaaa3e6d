import { createHash } from 'node:crypto';
import type { Python } from './python.ts';
import type { WorkerSource } from './worker-source.ts';

/** Everything that decides what is inside a Python environment. */
export interface EnvironmentRecipe {
  readonly python: Python;
  readonly worker: WorkerSource;
  /** pip's own syntax, a line each. */
  readonly requirements: readonly string[];
  /** Folder of the ReplPool file, which relative paths in requirements start from. */
  readonly folder: string;
}

const layout = 1;

/** A requirement that reads files (`-r more.txt`, `./wheels/x.whl`), so that it means something else in another folder. */
export function readsFiles(requirement: string): boolean {
  const text = requirement.trim();
  return text.startsWith('-') || text.startsWith('.') || (text.includes('/') && !text.includes('://'));
}

/** Same recipe, same name: environments are shared by all pools and starts that need the same. */
export function environmentKey(recipe: EnvironmentRecipe): string {
  const requirements = recipe.requirements.map((line) => line.trim()).filter((line) => line !== '');
  const content = [
    layout,
    recipe.python,
    recipe.worker,
    requirements,
    requirements.some(readsFiles) ? recipe.folder : '',
  ];
  return createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 16);
}
