/** One row of the registry: what every error of this code has in common. */
export interface ErrorDefinition {
  /** The HTTP status it is answered with. */
  readonly status: number;
  /** A short name that never changes between occurrences (RFC 9457, section 3.1.3). */
  readonly title: string;
  /** The usual cause, where the thrower knows nothing closer. */
  readonly why: string;
  /** The remedy, where the thrower knows nothing closer. */
  readonly how: string;
  /** Whether the same request can succeed later without being changed. */
  readonly retryable: boolean;
  /** What `Retry-After` says by default; every 429 and 503 has it. */
  readonly retryAfterSeconds?: number;
}

/** Every error code of ReplPool. `docs/errors.md` is generated from this table. */
export const errorRegistry = {
  INVALID_REQUEST: {
    status: 400,
    title: 'Invalid request',
    why: 'A field is missing, unknown, or has a value outside its bounds.',
    how: 'Correct the field that `details.field` names; /openapi.json has the schema.',
    retryable: false,
  },
  UNAUTHENTICATED: {
    status: 401,
    title: 'Unauthenticated',
    why: 'The request carries no credentials, or credentials that are not known here.',
    how: 'Send a valid key or token as `Authorization: Bearer …`.',
    retryable: false,
  },
  FORBIDDEN: {
    status: 403,
    title: 'Forbidden',
    why: 'The caller is known, but has no right to do this; a session belongs to who created it.',
    how: 'Use the credentials of the owner, or ask an administrator for the right.',
    retryable: false,
  },
  SESSION_NOT_FOUND: {
    status: 404,
    title: 'Session not found',
    why: 'No session has this id: it was deleted, or it never was.',
    how: 'List the sessions with GET /v1/sessions, or create one with POST /v1/sessions.',
    retryable: false,
  },
  POOL_NOT_FOUND: {
    status: 404,
    title: 'Pool not found',
    why: 'No pool has this name, or none of its agents is known here.',
    how: 'List the pools with GET /v1/pools; in a cluster a pool is named `namespace:name`.',
    retryable: false,
  },
  EXECUTION_NOT_FOUND: {
    status: 404,
    title: 'Execution not found',
    why: 'The session knows no execution with this id.',
    how: 'List the executions with GET /v1/sessions/{id}/executions.',
    retryable: false,
  },
  CHECKPOINT_NOT_FOUND: {
    status: 404,
    title: 'Checkpoint not found',
    why: 'The store holds no checkpoint with this id; older ones than `keep` are removed.',
    how: 'List the checkpoints with GET /v1/sessions/{id}/checkpoints.',
    retryable: false,
  },
  FILE_NOT_FOUND: {
    status: 404,
    title: 'File not found',
    why: "The session's working folder holds no file at this path.",
    how: 'List the files with GET /v1/sessions/{id}/files; paths are relative to the working folder.',
    retryable: false,
  },
  VARIABLE_NOT_FOUND: {
    status: 404,
    title: 'Variable not found',
    why: "The session's namespace holds no variable of this name.",
    how: 'List the variables with GET /v1/sessions/{id}/variables.',
    retryable: false,
  },
  NOT_FOUND: {
    status: 404,
    title: 'Not found',
    why: 'Nothing is served at this path.',
    how: 'Look the path up in /openapi.json.',
    retryable: false,
  },
  METHOD_NOT_ALLOWED: {
    status: 405,
    title: 'Method not allowed',
    why: 'The path exists, but not with this method.',
    how: 'Use one of the methods in the `Allow` header; /openapi.json lists them.',
    retryable: false,
  },
  EXECUTION_ID_REUSED: {
    status: 409,
    title: 'Execution id reused',
    why: 'An execution with this id, but with another body, was accepted before.',
    how: 'Give every new execution a new id; repeat an id only together with the same body.',
    retryable: false,
  },
  EPOCH_CHANGED: {
    status: 409,
    title: 'State epoch changed',
    why: 'The session lost acknowledged state (a restart, a restore, or a recovery) since the state that the request was made for.',
    how: 'Read the session, rebuild the state that is needed, and send the current `stateEpoch`.',
    retryable: false,
  },
  TRANSACTION_OPEN: {
    status: 409,
    title: 'Transaction open',
    why: 'The session has an open explicit transaction, inside which this is not possible.',
    how: 'Commit or roll back the open transaction first.',
    retryable: false,
  },
  NO_TRANSACTION: {
    status: 409,
    title: 'No open transaction',
    why: 'There is no open explicit transaction, or another one than the request names.',
    how: 'Open one by executing with the policy `explicit`; check the transaction id.',
    retryable: false,
  },
  NO_SNAPSHOT: {
    status: 409,
    title: 'No snapshot',
    why: 'No snapshot is kept from before that execution: `keepSnapshots` is lower, none could be made, or it was lost.',
    how: 'Create the session with a higher `keepSnapshots`; its `undoable` says how many executions can be undone.',
    retryable: false,
  },
  NO_INPUT_PENDING: {
    status: 409,
    title: 'No input pending',
    why: 'The execution does not wait for input: nothing asked for it, or another client has answered.',
    how: 'Wait for an `input_request` event, then answer it once.',
    retryable: false,
  },
  FORK_UNSAFE: {
    status: 409,
    title: 'Fork unsafe',
    why: "The session's process cannot be forked as it is: `what` says whether for threads or a GPU, a hook of its code, or a limit.",
    how: 'End the threads, raise the limit, or take a snapshot by `copy`.',
    retryable: false,
  },
  SESSION_LOST: {
    status: 410,
    title: 'Session lost',
    why: 'The session is gone and cannot come back; `details.reason` says how it ended.',
    how: 'Create a new session; with a checkpoint in a shared store it can be restored from there.',
    retryable: false,
  },
  PAYLOAD_TOO_LARGE: {
    status: 413,
    title: 'Payload too large',
    why: 'The body is larger than the limit, and was not read.',
    how: 'Send less at once; put large data into a file of the session, in parts.',
    retryable: false,
  },
  UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    title: 'Unsupported media type',
    why: 'The body is not of a content type that this path takes.',
    how: 'Send JSON with `Content-Type: application/json`.',
    retryable: false,
  },
  WRONG_OWNER: {
    status: 421,
    title: 'Wrong owner',
    why: 'The session moved: another agent owns it now, or the request carries an older epoch.',
    how: 'Send the request to the agent that `details.owner` names; a router does it by itself.',
    retryable: true,
  },
  POOL_EXHAUSTED: {
    status: 429,
    title: 'Pool exhausted',
    why: 'Every slot of the pool is taken, or the memory in use leaves no room for one more session.',
    how: 'Delete sessions that are no longer needed, raise `replicas` or `maxPerPod`, or retry later.',
    retryable: true,
    retryAfterSeconds: 5,
  },
  QUEUE_FULL: {
    status: 429,
    title: 'Queue full',
    why: 'The session already has as many executions waiting as `queueLength` allows.',
    how: 'Wait for results before sending more, or use more sessions.',
    retryable: true,
    retryAfterSeconds: 1,
  },
  RATE_LIMITED: {
    status: 429,
    title: 'Rate limited',
    why: 'The caller sends more requests than its share.',
    how: 'Wait as long as `Retry-After` says, then send more slowly.',
    retryable: true,
    retryAfterSeconds: 1,
  },
  WORKER_FAILED: {
    status: 500,
    title: 'Worker failed',
    why: "The session's worker process did not start, or ended before it could answer.",
    how: "Retry once; if it stays, look at the pool's conditions and at the agent's log.",
    retryable: true,
  },
  CHECKPOINT_CORRUPT: {
    status: 500,
    title: 'Checkpoint corrupt',
    why: 'The stored bytes do not have the checksum that they were written with.',
    how: 'Restore an older checkpoint, and check the store.',
    retryable: false,
  },
  INTERNAL: {
    status: 500,
    title: 'Internal error',
    why: 'A defect in ReplPool.',
    how: 'Report it with the time of the request; the log of the part that answered has the details.',
    retryable: false,
  },
  AGENT_UNAVAILABLE: {
    status: 503,
    title: 'Agent unavailable',
    why: 'The agent that owns the session, or one that might, cannot be reached.',
    how: 'Retry; if it stays, look whether the pods of the pool are ready.',
    retryable: true,
    retryAfterSeconds: 1,
  },
  DRAINING: {
    status: 503,
    title: 'Draining',
    why: 'The pod is about to go and takes nothing new.',
    how: 'Retry through the router, which picks another pod.',
    retryable: true,
    retryAfterSeconds: 2,
  },
  WARMING: {
    status: 503,
    title: 'Warming',
    why: 'The zygotes that sessions are forked from are still importing their modules.',
    how: 'Retry in a moment; `preload` and `warmupCode` decide how long it takes.',
    retryable: true,
    retryAfterSeconds: 1,
  },
  CIRCUIT_OPEN: {
    status: 503,
    title: 'Circuit open',
    why: 'The worker died three times within a minute, so that it is not started again at once.',
    how: 'Find out from the `session` events why it dies; it is tried again after `Retry-After`.',
    retryable: true,
    retryAfterSeconds: 30,
  },
  AGENT_TIMEOUT: {
    status: 504,
    title: 'Agent timeout',
    why: 'The agent did not answer in time; what was asked may have happened or not.',
    how: 'Repeat the request with the same id: it does not run twice.',
    retryable: true,
  },
} as const satisfies Record<string, ErrorDefinition>;

/** A stable error code, the same over every interface and release. */
export type ErrorCode = keyof typeof errorRegistry;

/** Every code, in the registry's order. */
export const errorCodes = Object.keys(errorRegistry) as [ErrorCode, ...ErrorCode[]];

/** The row of `code`, with its optional fields visible to the compiler. */
export function errorDefinition(code: ErrorCode): ErrorDefinition {
  return errorRegistry[code];
}
