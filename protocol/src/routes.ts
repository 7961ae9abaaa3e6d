import type { z } from 'zod';
import type { ErrorCode } from './error-registry.ts';
import { eventsQuerySchema } from './events.ts';
import { executeQuerySchema, executionListQuerySchema } from './execution.ts';
import type { ComponentName } from './openapi-components.ts';
import { sessionListQuerySchema } from './session.ts';

export type RouteMethod = 'get' | 'post' | 'put' | 'patch' | 'delete';

/** A body: a noun as JSON, or bytes or text of a content type. */
export type RouteBody = ComponentName | { readonly contentType: string };

/** One path and method of the HTTP API. */
export interface Route {
  readonly method: RouteMethod;
  /** With its parameters in braces. */
  readonly path: string;
  readonly id: string;
  readonly summary: string;
  readonly query?: z.ZodObject;
  readonly body?: RouteBody;
  /** Whether the body may be left out. */
  readonly bodyOptional?: boolean;
  /** Status → body, null for none. */
  readonly answers: Readonly<Record<number, RouteBody | null>>;
  /** Whether the 200 answer may be a stream of events by `Accept`. */
  readonly streams?: boolean;
  /** The errors beyond those of every path. */
  readonly errors?: readonly ErrorCode[];
  /** Whether it is served without credentials. */
  readonly open?: boolean;
}

const session = '/v1/sessions/{id}';
const execution = `${session}/executions/{execution}`;
const ofSession = ['SESSION_NOT_FOUND', 'SESSION_LOST', 'WRONG_OWNER', 'AGENT_UNAVAILABLE', 'AGENT_TIMEOUT'] as const;
const ofExecution = [...ofSession, 'EXECUTION_NOT_FOUND'] as const;
const admission = ['POOL_NOT_FOUND', 'POOL_EXHAUSTED', 'WARMING', 'DRAINING', 'CIRCUIT_OPEN', 'WORKER_FAILED'] as const;
const text = { contentType: 'text/plain' } as const;
const json = { contentType: 'application/json' } as const;
const bytes = { contentType: 'application/octet-stream' } as const;

/** Every route that exists; the servers mount these paths and `openapi.json` is made from them. */
export const routes: readonly Route[] = [
  {
    method: 'get',
    path: '/healthz',
    id: 'getHealth',
    summary: 'Whether the process lives',
    answers: { 200: json },
    open: true,
  },
  {
    method: 'get',
    path: '/readyz',
    id: 'getReadiness',
    summary: 'Whether it can serve',
    answers: { 200: json },
    errors: ['WARMING', 'DRAINING'],
    open: true,
  },
  {
    method: 'get',
    path: '/metrics',
    id: 'getMetrics',
    summary: 'Metrics in the Prometheus format',
    answers: { 200: text },
    open: true,
  },
  {
    method: 'get',
    path: '/openapi.json',
    id: 'getOpenApi',
    summary: 'This description',
    answers: { 200: json },
    open: true,
  },
  {
    method: 'get',
    path: '/v1/pools',
    id: 'listPools',
    summary: 'Pools with capacity, warm sessions and hit rate',
    answers: { 200: 'PoolList' },
  },
  {
    method: 'get',
    path: '/v1/pools/{pool}',
    id: 'getPool',
    summary: 'One pool',
    answers: { 200: 'Pool' },
    errors: ['POOL_NOT_FOUND'],
  },
  {
    method: 'post',
    path: '/v1/sessions',
    id: 'createSession',
    summary: 'Create a session',
    body: 'CreateSession',
    bodyOptional: true,
    answers: { 200: 'Session', 201: 'Session' },
    // Of the same id again.
    errors: [...admission, 'SESSION_LOST'],
  },
  {
    method: 'get',
    path: '/v1/sessions',
    id: 'listSessions',
    summary: 'List sessions',
    query: sessionListQuerySchema,
    answers: { 200: 'SessionList' },
  },
  {
    method: 'get',
    path: session,
    id: 'getSession',
    summary: 'One session',
    answers: { 200: 'Session' },
    errors: ofSession,
  },
  {
    method: 'patch',
    path: session,
    id: 'patchSession',
    summary: 'Change labels, name or idle timeout',
    body: 'PatchSession',
    bodyOptional: true,
    answers: { 200: 'Session' },
    errors: ofSession,
  },
  {
    method: 'delete',
    path: session,
    id: 'deleteSession',
    summary: 'Delete a session',
    answers: { 204: null },
    errors: ofSession,
  },
  {
    method: 'post',
    path: `${session}/executions`,
    id: 'execute',
    summary: 'Run code',
    query: executeQuerySchema,
    body: 'ExecuteRequest',
    answers: { 200: 'Execution', 202: 'Execution' },
    streams: true,
    errors: [
      ...ofSession,
      'EXECUTION_ID_REUSED',
      'EPOCH_CHANGED',
      'TRANSACTION_OPEN',
      'FORK_UNSAFE',
      'WORKER_FAILED',
      'QUEUE_FULL',
      'DRAINING',
      'CIRCUIT_OPEN',
    ],
  },
  {
    method: 'get',
    path: `${session}/executions`,
    id: 'listExecutions',
    summary: 'The history',
    query: executionListQuerySchema,
    answers: { 200: 'ExecutionList' },
    errors: ofSession,
  },
  {
    method: 'get',
    path: execution,
    id: 'getExecution',
    summary: 'One execution',
    answers: { 200: 'Execution' },
    errors: ofExecution,
  },
  {
    method: 'delete',
    path: execution,
    id: 'cancelExecution',
    summary: 'Cancel it while queued, interrupt it while running',
    answers: { 200: 'Execution' },
    errors: ofExecution,
  },
  {
    method: 'get',
    path: `${execution}/events`,
    id: 'getEvents',
    summary: 'Its events, replayed, then live',
    query: eventsQuerySchema,
    answers: { 200: { contentType: 'application/x-ndjson' } },
    streams: true,
    errors: ofExecution,
  },
  {
    method: 'post',
    path: `${execution}/input`,
    id: 'answerInput',
    summary: 'Answer a pending input()',
    body: 'InputRequest',
    answers: { 204: null },
    errors: [...ofExecution, 'NO_INPUT_PENDING'],
  },
  {
    method: 'post',
    path: `${session}/interrupt`,
    id: 'interrupt',
    summary: 'Interrupt what runs',
    answers: { 204: null },
    errors: ofSession,
  },
  {
    method: 'post',
    path: `${session}/restart`,
    id: 'restart',
    summary: 'Fresh namespace, same id',
    answers: { 200: 'Session' },
    errors: [...ofSession, 'CIRCUIT_OPEN', 'WARMING', 'WORKER_FAILED'],
  },
  {
    method: 'post',
    path: `${session}/transaction/commit`,
    id: 'commitTransaction',
    summary: 'Keep what the open explicit transaction changed',
    body: 'EndTransaction',
    bodyOptional: true,
    answers: { 200: 'Transaction' },
    errors: [...ofSession, 'NO_TRANSACTION', 'QUEUE_FULL', 'CIRCUIT_OPEN'],
  },
  {
    method: 'post',
    path: `${session}/transaction/rollback`,
    id: 'rollBackTransaction',
    summary: 'Undo what the open explicit transaction changed',
    body: 'EndTransaction',
    bodyOptional: true,
    answers: { 200: 'Transaction' },
    errors: [...ofSession, 'NO_TRANSACTION', 'QUEUE_FULL', 'CIRCUIT_OPEN', 'WORKER_FAILED'],
  },
  {
    method: 'post',
    path: `${session}/undo`,
    id: 'undo',
    summary: 'Go back to before the last executions',
    body: 'Undo',
    bodyOptional: true,
    answers: { 200: 'Undone' },
    errors: [...ofSession, 'NO_SNAPSHOT', 'TRANSACTION_OPEN', 'QUEUE_FULL', 'CIRCUIT_OPEN', 'WORKER_FAILED'],
  },
  {
    method: 'post',
    path: `${session}/fork`,
    id: 'forkSession',
    summary: 'Live copies of a session',
    body: 'ForkSession',
    bodyOptional: true,
    answers: { 201: 'SessionList' },
    errors: [...ofSession, ...admission, 'FORK_UNSAFE', 'TRANSACTION_OPEN', 'QUEUE_FULL'],
  },
  {
    method: 'get',
    path: `${session}/variables`,
    id: 'listVariables',
    summary: 'Name, type, summary and size',
    answers: { 200: 'VariableList' },
    errors: ofSession,
  },
  {
    method: 'get',
    path: `${session}/variables/{name}`,
    id: 'getVariable',
    summary: 'One variable with a safe preview',
    answers: { 200: 'VariableDetail' },
    errors: [...ofSession, 'VARIABLE_NOT_FOUND'],
  },
  {
    method: 'post',
    path: `${session}/complete`,
    id: 'complete',
    summary: 'Completions at a cursor (in code points)',
    body: 'IntrospectRequest',
    answers: { 200: 'Completion' },
    errors: ofSession,
  },
  {
    method: 'post',
    path: `${session}/inspect`,
    id: 'inspect',
    summary: 'Documentation at a cursor (in code points)',
    body: 'IntrospectRequest',
    answers: { 200: 'Inspection' },
    errors: ofSession,
  },
  {
    method: 'get',
    path: `${session}/files`,
    id: 'listFiles',
    summary: 'The files of the working folder',
    answers: { 200: 'FileList' },
    errors: ofSession,
  },
  {
    method: 'get',
    path: `${session}/files/{path}`,
    id: 'getFile',
    summary: 'Read a file',
    answers: { 200: bytes },
    errors: [...ofSession, 'FILE_NOT_FOUND'],
  },
  {
    method: 'put',
    path: `${session}/files/{path}`,
    id: 'putFile',
    summary: 'Write a file',
    body: bytes,
    bodyOptional: true,
    answers: { 201: null, 204: null },
    errors: ofSession,
  },
  {
    method: 'delete',
    path: `${session}/files/{path}`,
    id: 'deleteFile',
    summary: 'Delete a file',
    answers: { 204: null },
    errors: [...ofSession, 'FILE_NOT_FOUND'],
  },
  {
    method: 'get',
    path: `${session}/channel`,
    id: 'openChannel',
    summary: 'Upgrade to the WebSocket channel (replpool.v1.msgpack, replpool.v1.json)',
    query: eventsQuerySchema,
    answers: { 101: null },
    errors: ofSession,
  },
  {
    method: 'post',
    path: '/v1/run',
    id: 'run',
    summary: 'A session for one execution',
    body: 'RunRequest',
    answers: { 200: 'Execution' },
    errors: admission,
  },
];
