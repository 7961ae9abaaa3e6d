import { z } from 'zod';
import { ReplPoolError } from './errors.ts';

/** A value that failed its schema, as one field and what is wrong with it. */
interface Finding {
  readonly field: string;
  readonly message: string;
}

/** `['limits', 'memory']` → `limits.memory`, `['items', 2, 'id']` → `items[2].id`. */
export function pathName(path: readonly PropertyKey[]): string {
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

/** INVALID_REQUEST that names one field and says what is wrong with it, in the shape that `parse` gives. */
export function invalidRequest(field: string, message: string): ReplPoolError {
  return new ReplPoolError('INVALID_REQUEST', `${field}: ${message}`, {
    details: { field, fields: [{ field, message }] },
  });
}

/** `details.field` is the first field that is wrong (empty for the whole value), `details.fields` lists all: `[{field, message}]`. */
function notAsDescribed(cause: z.core.$ZodError, where: string): ReplPoolError {
  const fields = cause.issues.flatMap((issue) => findings(issue, []));
  const { field, message } = fields[0] ?? { field: '', message: 'not valid' };
  const what = field === '' ? `${where}: ${message}` : `${where}: ${field}: ${message}`;
  return new ReplPoolError('INVALID_REQUEST', what, { details: { field, fields }, cause });
}

/**
 * `value` as the schema describes it; throws INVALID_REQUEST naming the field where it is not.
 *
 * @param where what is parsed, such as "body" or "query"
 */
export function parse<S extends z.ZodType>(schema: S, value: unknown, where = 'body'): z.output<S> {
  const result = z.safeParse(schema, value);
  if (!result.success) throw notAsDescribed(result.error, where);
  return result.data;
}
