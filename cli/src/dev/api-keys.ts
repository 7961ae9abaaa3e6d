import { readFile } from 'node:fs/promises';
import { type AuthConfig, apiKeySchema } from '@replpool/protocol';
import { z } from 'zod';
import { wrongUse } from '../failure.ts';

/** The router's authentication: the keys of the file, or none where there is no file. */
export async function readAuth(file: string | undefined): Promise<AuthConfig> {
  if (file === undefined) return { mode: 'none' };
  let content: unknown;
  try {
    content = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw wrongUse(`cannot read the keys of ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const keys = z.array(apiKeySchema).min(1).safeParse(content);
  if (!keys.success) {
    const issue = keys.error.issues[0];
    throw wrongUse(
      `${file}: ${issue?.path.join('.') || 'the file'}: ${issue?.message ?? 'not valid'}`,
      'it is a JSON list of {"name", "sha256", "admin"?}; printf %s "$KEY" | sha256sum gives the hash of a key',
    );
  }
  return { mode: 'apiKeys', keys: keys.data };
}
