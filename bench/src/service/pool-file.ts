import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { replPoolSchema } from '@replpool/protocol';
import { parse } from 'yaml';

/** A ReplPool file of bench/pools/, and the name of the pool in it. */
export interface PoolFile {
  readonly path: string;
  readonly pool: string;
}

export async function poolFile(name: 'warm' | 'cold' | 'plain'): Promise<PoolFile> {
  const path = fileURLToPath(new URL(`../../pools/${name}.yaml`, import.meta.url));
  const { metadata } = replPoolSchema.parse(parse(await readFile(path, 'utf8')));
  return { path, pool: metadata.name };
}
