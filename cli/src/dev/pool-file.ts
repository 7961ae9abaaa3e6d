import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { pathName, type ReplPool, replPoolSchema } from '@replpool/protocol';
import { isNode, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { wrongUse } from '../failure.ts';
import { shipped } from './shipped.ts';

const example = 'examples/python.yaml';

export interface PoolFile {
  readonly path: string;
  readonly pool: ReplPool;
}

/** The paths an issue is about: of unknown fields each one, else the issue's own. */
function issuePaths(issue: z.core.$ZodIssue): PropertyKey[][] {
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => [...issue.path, key]);
  return [[...issue.path]];
}

/** The ReplPool of a YAML text; errors name the file, the line and the field. */
export function parsePool(text: string, file: string): ReplPool {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const [syntax] = document.errors;
  if (syntax !== undefined)
    throw wrongUse(`${file}: ${syntax.message.trimEnd()}`, 'the file must be one YAML document');
  const result = replPoolSchema.safeParse(document.toJS());
  if (result.success) return result.data;

  /** Line of the field, or of the nearest field above it that is there. */
  const lineOf = (path: readonly PropertyKey[]): number => {
    for (let length = path.length; length > 0; length -= 1) {
      const parent = length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true);
      if (parent !== null && typeof parent === 'object' && 'items' in parent && Array.isArray(parent.items)) {
        const name = path[length - 1];
        const pair: unknown = parent.items.find((item: { key?: { value?: unknown } }) => item.key?.value === name);
        const key = pair !== null && typeof pair === 'object' && 'key' in pair ? pair.key : undefined;
        if (isNode(key) && key.range) return lines.linePos(key.range[0]).line;
      }
      const node = document.getIn(path.slice(0, length), true);
      if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
    }
    return 1;
  };
  const problems = result.error.issues.flatMap((issue) =>
    issuePaths(issue).map((path) => {
      const message = issue.code === 'unrecognized_keys' ? 'no such field' : issue.message;
      return `${file}:${lineOf(path)}: ${pathName(path) || 'the document'}: ${message}`;
    }),
  );
  throw wrongUse(
    `the ReplPool is not valid\n${problems.join('\n')}`,
    'crds/replpools.replpool.dev.yaml describes every field, examples/ show some at work',
  );
}

/** Reads the ReplPool that `dev` serves; without a path the first example. */
export async function readPool(path: string | undefined): Promise<PoolFile> {
  const file = resolve(path ?? shipped(example) ?? example);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw wrongUse(`cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`, undefined, error);
  }
  return { path: file, pool: parsePool(text, path ?? file) };
}

/** Folder that relative paths in the pool's requirements start from. */
export function folderOf(file: PoolFile): string {
  return dirname(file.path);
}
