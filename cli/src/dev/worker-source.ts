import { readFile } from 'node:fs/promises';
import { serviceFailed } from '../failure.ts';
import { shipped } from './shipped.ts';

/** The worker's Python package as it lies on this machine, and what it needs from the package index. */
export interface WorkerSource {
  readonly path: string;
  readonly version: string;
  readonly dependencies: readonly string[];
}

/** `version` and `dependencies` of a pyproject.toml's [project] table, as this repository writes them. */
export function projectTable(toml: string): { version: string; dependencies: string[] } {
  const project = /^\[project\]$([\s\S]*?)(?=^\[|(?![\s\S]))/m.exec(toml)?.[1] ?? '';
  const version = /^version\s*=\s*"([^"]+)"/m.exec(project)?.[1] ?? '0';
  const list = /^dependencies\s*=\s*\[((?:\s|"[^"]*"|'[^']*'|,|#[^\n]*)*)\]/m.exec(project)?.[1] ?? '';
  const dependencies = [...list.replaceAll(/#[^\n]*/g, '').matchAll(/"([^"]*)"|'([^']*)'/g)];
  return { version, dependencies: dependencies.map((match) => match[1] ?? match[2] ?? '') };
}

export async function findWorker(): Promise<WorkerSource> {
  const project = shipped('worker/pyproject.toml');
  const path = shipped('worker/src');
  if (project === undefined || path === undefined) {
    throw serviceFailed('the Python package replpool_worker is not beside this program', 'install replpool again');
  }
  return { path, ...projectTable(await readFile(project, 'utf8')) };
}
