import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** The interpreter of the development environment, made on first use. */
export function python(): string {
  const script = join(import.meta.dirname, '../../scripts/python.mjs');
  return execFileSync(process.execPath, [script, '-c', 'import sys; print(sys.executable)'], {
    encoding: 'utf8',
  }).trim();
}
