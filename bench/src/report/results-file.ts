import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Report } from './report.ts';

const folder = fileURLToPath(new URL('../../results/', import.meta.url));

/** Writes the report as JSON into bench/results/. @returns the file's path */
export async function writeResults(report: Report): Promise<string> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, `${report.startedAt.replaceAll(':', '-')}${report.smoke ? '-smoke' : ''}.json`);
  await writeFile(path, `${JSON.stringify(report, null, 2)}\n`);
  return path;
}
