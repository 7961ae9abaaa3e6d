import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** The interpreter of the development environment, made on first use, or one that has the worker and more (`REPLPOOL_TEST_PYTHON`). */
export function python(): string {
  const { REPLPOOL_TEST_PYTHON: chosen } = process.env;
  if (chosen !== undefined) return chosen;
  const script = join(import.meta.dirname, '../../scripts/python.mjs');
  return execFileSync(process.execPath, [script, '-c', 'import sys; print(sys.executable)'], {
    encoding: 'utf8',
  }).trim();
}
