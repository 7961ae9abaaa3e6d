import { STATUS_CODES } from 'node:http';
import { type ErrorCode, errorDefinition } from './error-registry.ts';
import { PROBLEM_CONTENT_TYPE } from './errors.ts';
import type { SchemaNode } from './json-schema.ts';
import { componentRef, componentSchemas, plainSchema } from './openapi-components.ts';
import { type Route, type RouteBody, routes } from './routes.ts';

const EVENT_STREAMS = ['application/x-ndjson', 'text/event-stream'];

function content(body: RouteBody): SchemaNode {
  if (typeof body === 'string') return { 'application/json': { schema: componentRef(body) } };
  switch (body.contentType) {
    case 'application/json':
      return { [body.contentType]: { schema: { type: 'object' } } };
    case 'application/octet-stream':
      return { [body.contentType]: { schema: { type: 'string', format: 'binary' } } };
    default:
      return { [body.contentType]: { schema: { type: 'string' } } };
  }
}

function eventStreams(): SchemaNode {
  return Object.fromEntries(EVENT_STREAMS.map((type) => [type, { schema: componentRef('Event') }]));
}

function parameters(route: Route): SchemaNode[] {
  const inPath = Array.from(route.path.matchAll(/\{(\w+)\}/g), ([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  const inQuery = Object.entries(route.query?.shape ?? {}).map(([name, schema]) => ({
    name,
    in: 'query',
    required: false,
    schema: querySchema(name, plainSchema(schema)),
  }));
  return [...inPath, ...inQuery];
}

/** What is coerced from the query's text has no type in the schema of its input. */
function querySchema(name: string, node: SchemaNode): SchemaNode {
  return name === 'from' || name === 'limit' ? { ...node, type: 'integer' } : node;
}

/** The errors of a route by their status: one answer says all codes of it. */
function problems(route: Route): SchemaNode {
  const common: readonly ErrorCode[] = route.open
    ? []
    : [
        ...([
          'INVALID_REQUEST',
          'UNAUTHENTICATED',
          'FORBIDDEN',
          'METHOD_NOT_ALLOWED',
          'RATE_LIMITED',
          'INTERNAL',
        ] as const),
        // Who knows the caller may be out of reach, whatever is asked.
        'AGENT_UNAVAILABLE',
      ];
  const withBody: readonly ErrorCode[] =
    route.body === undefined ? [] : ['PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'];
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of new Set([...common, ...withBody, ...(route.errors ?? [])])) {
    const { status } = errorDefinition(code);
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    Array.from(byStatus, ([status, codes]) => [
      status,
      { description: codes.join(', '), content: { [PROBLEM_CONTENT_TYPE]: { schema: componentRef('Problem') } } },
    ]),
  );
}

function answers(route: Route): SchemaNode {
  return Object.fromEntries(
    Object.entries(route.answers).map(([status, body]) => {
      const description = STATUS_CODES[status] ?? status;
      if (body === null) return [status, { description }];
      const streams = route.streams === true && status === '200' ? eventStreams() : {};
      return [status, { description, content: { ...content(body), ...streams } }];
    }),
  );
}

function operation(route: Route): SchemaNode {
  const body = route.body === undefined ? {} : { requestBody: requestBody(route, route.body) };
  const security = route.open ? { security: [] } : {};
  return {
    operationId: route.id,
    summary: route.summary,
    ...security,
    parameters: parameters(route),
    ...body,
    responses: { ...problems(route), ...answers(route) },
  };
}

function requestBody(route: Route, body: RouteBody): SchemaNode {
  return { required: route.bodyOptional !== true, content: content(body) };
}

/** The OpenAPI 3.0.3 description of the HTTP API, as `/openapi.json` serves it. */
export function openApiDocument(): SchemaNode {
  const paths: Record<string, SchemaNode> = {};
  for (const route of routes) {
    paths[route.path] = { ...paths[route.path], [route.method]: operation(route) };
  }
  return {
    openapi: '3.0.3',
    info: {
      title: 'ReplPool',
      version: '0.1.0',
      description: 'Stateful code sessions as a service. Unknown fields are refused; times are RFC 3339.',
      license: { name: 'MIT' },
    },
    security: [{ bearer: [] }, {}],
    paths,
    components: {
      schemas: componentSchemas(),
      securitySchemes: {
        bearer: {
          ...{ type: 'http', scheme: 'bearer' },
          description:
            'By the mode of the router: an API key, a token of Kubernetes that is made out to its audience, or a token of its OpenID Connect issuer.',
        },
      },
    },
  };
}
