import { openApiDocument, type Route, routes } from '@replpool/protocol';
import fc from 'fast-check';

// biome-ignore lint/suspicious/noExplicitAny: a JSON Schema is read by its keywords
type Schema = Record<string, any>;
const document = openApiDocument() as Schema;

/** What a fuzzed request is about: values that name something there is. */
export interface Known {
  readonly session: string;
  readonly execution: string;
}

export interface HttpRequest {
  readonly route: Route;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
}

/** Code that ends soon, or that is none. */
const code = fc.oneof(fc.constantFrom('1', 'x = 1', '1/0', 'print("a" * 99)', 'def (', 'import os', ''), fc.string());
const strange = fc.oneof(
  fc.constantFrom(
    null,
    true,
    -1,
    0,
    1.5,
    1e308,
    2 ** 53,
    '',
    '\0',
    '\ud800',
    '__proto__',
    [],
    {},
    [[]],
    'x'.repeat(5000),
  ),
  fc.string({ unit: 'binary', maxLength: 50 }),
  fc.jsonValue({ maxDepth: 4 }),
);

/** Values that fit the schema. */
function fitting(schema: Schema): fc.Arbitrary<unknown> {
  if (schema.$ref) return fitting(document.components.schemas[schema.$ref.split('/').at(-1)]);
  const branches = schema.anyOf ?? schema.oneOf;
  if (branches) return fc.oneof(...branches.map(fitting));
  if (schema.enum) return fc.constantFrom(...schema.enum);
  switch (schema.type) {
    case 'string':
      return fittingText(schema);
    case 'boolean':
      return fc.boolean();
    case 'integer':
    case 'number':
      return fc.integer({ min: schema.minimum ?? -5, max: Math.min(schema.maximum ?? 100_000, 2 ** 40) });
    case 'array':
      return fc.array(fitting(schema.items ?? {}), { maxLength: 4 });
    case 'object':
      return fittingObject(schema);
    default:
      return strange;
  }
}

function fittingText({ pattern, minLength = 0, maxLength = 300 }: Schema): fc.Arbitrary<string> {
  const text = pattern === undefined ? fc.string({ minLength, maxLength: Math.min(maxLength, 300) }) : undefined;
  return text ?? fc.stringMatching(new RegExp(pattern)).filter((it) => it.length <= maxLength);
}

/** With what is required and any of the rest, or, more often taken, with what is required alone. */
function fittingObject({ properties = {}, required = [], additionalProperties }: Schema): fc.Arbitrary<unknown> {
  if (typeof additionalProperties === 'object') {
    return fc.dictionary(fc.string({ maxLength: 20 }), fitting(additionalProperties), { maxKeys: 3 });
  }
  const fields = Object.entries(properties as Record<string, Schema>).map(
    ([name, property]) => [name, name === 'code' ? code : fitting(property)] as const,
  );
  const least = fields.filter(([name]) => required.includes(name));
  return fc.oneof(
    fc.record(Object.fromEntries(fields), { requiredKeys: required, noNullPrototype: true }),
    fc.record(Object.fromEntries(least), { noNullPrototype: true }),
  );
}

/** A body of the route: one that fits, one with a wrong or foreign field, and bytes that are no JSON. */
function bodyOf(route: Route): fc.Arbitrary<Buffer | undefined> {
  const bytes = fc.uint8Array({ maxLength: 200 }).map((it) => Buffer.from(it));
  if (typeof route.body !== 'string') return fc.option(bytes, { nil: undefined });
  const fits = fitting({ $ref: `#/components/schemas/${route.body}` });
  const names = [
    ...Object.keys(document.components.schemas[route.body].properties ?? {}),
    'foreign',
    '__proto__',
    'constructor',
  ];
  const wrong = fc
    .tuple(fits, fc.constantFrom(...names), strange)
    .map(([value, name, other]) => Object.fromEntries([...Object.entries(value as object), [name, other]]));
  const text = fc
    .oneof({ weight: 3, arbitrary: fits }, { weight: 3, arbitrary: wrong }, strange)
    .map((it) => JSON.stringify(it));
  const broken = fc.tuple(text, fc.nat()).map(([it, at]) => it.slice(0, at % (it.length + 1)));
  const deep = fc.constantFrom('['.repeat(100_000), '{"a":'.repeat(600), '{"code":'.repeat(9999), '1'.repeat(9999));
  const json = fc.oneof({ weight: 8, arbitrary: text }, broken, deep).map((it) => Buffer.from(it));
  return fc.oneof({ weight: 8, arbitrary: json }, bytes, fc.constant(undefined));
}

/** Text that can stand in a path: what a client has escaped, and what it should have. */
const segment = fc.oneof(
  fc.constantFrom(
    '.',
    '..',
    '%',
    '%zz',
    '%00',
    '%2e%2e',
    '%2F',
    '%ff',
    'x',
    "a'b",
    '00000000-0000-4000-8000-000000000000',
  ),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }).map(escaped),
  fc.stringMatching(/^[!-"$-.0->@-~]{1,20}$/),
);

function escaped(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}

function pathOf(route: Route, known: Known): fc.Arbitrary<string> {
  const real: Record<string, string> = {
    id: known.session,
    execution: known.execution,
    pool: 'default',
    name: 'x',
    path: 'f/x.txt',
  };
  const parts = route.path.split('/').map((part) => {
    const name = /^\{(\w+)\}$/.exec(part)?.[1];
    if (name === undefined) return fc.constant(part);
    return fc.oneof({ weight: 6, arbitrary: fc.constant(real[name] ?? 'x') }, segment);
  });
  const query = Object.entries((document.paths[route.path]?.[route.method]?.parameters ?? []) as Schema[])
    .map(([, parameter]) => parameter)
    .filter(({ in: place }) => place === 'query');
  const pair =
    query.length === 0 ? fc.constant('x=1') : fc.oneof(...query.map(({ name, schema }) => queryPair(name, schema)));
  const search = fc.oneof(
    { weight: 4, arbitrary: fc.constant('') },
    fc.array(pair, { maxLength: 3 }).map((pairs) => `?${pairs.join('&')}`),
    fc.tuple(segment, segment).map(([name, value]) => `?${name}=${value}`.replaceAll('#', '')),
  );
  return fc
    .tuple(fc.tuple(...parts), search)
    .map(([path, rest]) => `${path.join('/')}${rest}`.replaceAll(/[#\s]/g, ''));
}

function queryPair(name: string, schema: Schema): fc.Arbitrary<string> {
  return fc.oneof(fitting(schema), strange).map((value) => `${name}=${escaped(String(value))}`);
}

const headerText = fc.stringMatching(/^[ -~]{0,40}$/);

function headersOf(): fc.Arbitrary<Record<string, string>> {
  const type = fc.constantFrom(
    'application/json',
    'application/json; charset=utf-16',
    'text/plain',
    'application/octet-stream',
    'json',
  );
  // What an agent refuses at its door comes seldom, else hardly a request gets past it.
  const claims = fc.record(
    {
      'replpool-epoch': fc.oneof(fc.constantFrom('1', '2', '-1', '1e400', ''), headerText),
      'replpool-owner': fc.oneof(fc.constantFrom('%', '%zz', 'ann', ''), headerText),
    },
    { requiredKeys: [] },
  );
  const others = fc.record(
    {
      'content-type': fc.oneof({ weight: 6, arbitrary: fc.constant('application/json') }, type, headerText),
      accept: fc.oneof(fc.constantFrom('*/*', 'application/x-ndjson', 'text/event-stream', 'text/html'), headerText),
      'accept-encoding': headerText,
      'last-event-id': headerText,
      traceparent: headerText,
      range: fc.constantFrom('bytes=0-1', 'bytes=9-1', 'x'),
      'if-none-match': headerText,
      'replpool-session': headerText,
      'x-forwarded-for': headerText,
    },
    { requiredKeys: ['content-type'] },
  );
  return fc
    .tuple(others, fc.oneof({ weight: 6, arbitrary: fc.constant({}) }, claims))
    .map(([some, claimed]) => ({ ...some, ...claimed }));
}

/** Requests at every route but those that end the session which the others need. */
export function requests(known: Known): fc.Arbitrary<HttpRequest> {
  const asked = routes.filter(({ id }) => !['deleteSession', 'restart', 'openChannel'].includes(id));
  return fc
    .constantFrom(...asked)
    .chain((route) =>
      fc
        .record({ path: pathOf(route, known), headers: headersOf(), body: bodyOf(route) })
        .map((it) => ({ route, ...it, body: route.method === 'get' ? undefined : it.body })),
    );
}
