import { z } from 'zod';
import { ReplPoolError } from './errors.ts';

/** A value that failed its schema, as one field and what is wrong with it. */
interface Finding {
  readonly field: string;
  readonly message: string;
}

/** `['limits', 'memory']` → `limits.memory`, `['items', 2, 'id']` → `items[2].id`. */
function pathName(path: readonly PropertyKey[]): string {
  let name = '';
  for (const part of path) {
    if (typeof part === 'number') name += `[${part}]`;
    else name += name === '' ? String(part) : `.${String(part)}`;
  }
  return name;
}

/** The issues of a union are those of the branch that got furthest: the one with the fewest. */
function closest(errors: readonly (readonly z.core.$ZodIssue[])[]): readonly z.core.$ZodIssue[] {
  return errors.reduce<readonly z.core.$ZodIssue[]>(
    (best, candidate) => (best.length === 0 || candidate.length < best.length ? candidate : best),
    [],
  );
}

function findings(issue: z.core.$ZodIssue, prefix: readonly PropertyKey[]): Finding[] {
  const path = [...prefix, ...issue.path];
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({ field: pathName([...path, key]), message: 'unknown field' }));
    case 'invalid_union': {
      const nested = closest(issue.errors).flatMap((inner) => findings(inner, path));
      return nested.length > 0 ? nested : [{ field: pathName(path), message: issue.message }];
    }
    case 'invalid_key':
    case 'invalid_element':
      return issue.issues.flatMap((inner) => findings(inner, path).map((it) => ({ ...it, field: pathName(path) })));
    default:
      return [{ field: pathName(path), message: issue.message }];
  }
}

/**
 * INVALID_REQUEST that names the field. `details.field` is the first one that is wrong (empty for the whole value),
 * `details.fields` lists all: `[{field, message}]`.
 *
 * @param error what zod found, or the name of a field
 * @param where what was parsed, such as "body" or "query"; or, for a named field, what is wrong with it
 */
export function invalidRequest(error: z.core.$ZodError | string, where = 'body'): ReplPoolError {
  if (typeof error === 'string') {
    return new ReplPoolError('INVALID_REQUEST', `${error}: ${where}`, {
      details: { field: error, fields: [{ field: error, message: where }] },
    });
  }
  const found = error.issues.flatMap((issue) => findings(issue, []));
  const first = found[0] ?? { field: '', message: 'not valid' };
  const what = first.field === '' ? `${where}: ${first.message}` : `${where}: ${first.field}: ${first.message}`;
  return new ReplPoolError('INVALID_REQUEST', what, {
    details: { field: first.field, fields: found },
    cause: error,
  });
}

/** `value` as the schema describes it; throws INVALID_REQUEST naming the field where it is not. */
export function parse<S extends z.ZodType>(schema: S, value: unknown, where = 'body'): z.output<S> {
  const result = z.safeParse(schema, value);
  if (!result.success) throw invalidRequest(result.error, where);
  return result.data;
}
