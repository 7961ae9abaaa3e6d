import { isDeepStrictEqual } from 'node:util';
import { type ReplPoolSpec, replPoolSpecSchema } from '@replpool/protocol';

type Field = readonly [path: string, of: (spec: ReplPoolSpec) => unknown];

/** What the schema has from the start and nothing does yet. A security field is not among them: an agent that cannot enforce it refuses. */
const FIELDS: readonly Field[] = [
  ['sessions.overcommit', ({ sessions }) => sessions.overcommit],
  ['checkpoints.store', ({ checkpoints }) => checkpoints.store],
  ['checkpoints.intervalSeconds', ({ checkpoints }) => checkpoints.intervalSeconds],
  ['checkpoints.keep', ({ checkpoints }) => checkpoints.keep],
  ['checkpoints.onDrain', ({ checkpoints }) => checkpoints.onDrain],
];
const DEFAULTS = replPoolSpecSchema.parse({});

/** The fields by which a pool asks for what this release does not do: those that are not at their defaults, which nobody chose. */
export function withoutEffect(spec: ReplPoolSpec): string[] {
  return FIELDS.filter(([, of]) => !isDeepStrictEqual(of(spec), of(DEFAULTS))).map(([path]) => `spec.${path}`);
}
