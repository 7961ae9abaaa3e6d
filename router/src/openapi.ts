import { readFile } from 'node:fs/promises';
import { ReplPoolError } from '@replpool/protocol';

/** Where the generated document lies, seen from the protocol package: at the repository's root, or within what was published. */
const PLACES = ['../../openapi.json', './openapi.json'];

export async function readOpenApi(): Promise<Buffer> {
  const base = import.meta.resolve('@replpool/protocol');
  for (const place of PLACES) {
    try {
      return await readFile(new URL(place, base));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  throw new ReplPoolError('NOT_FOUND', 'this installation has no openapi.json');
}
