import { isRecord } from './object.ts';

/** What a reconcile can do something about, each in another way. */
export type Failure =
  | 'NotFound'
  | 'AlreadyExists'
  /** Another writer came first: read again. */
  | 'Conflict'
  /** The version asked for is no longer kept: list again. */
  | 'Gone'
  /** RBAC or admission says no. */
  | 'Forbidden'
  | 'Quota'
  /** Nothing can be made in a namespace that ends. */
  | 'NamespaceTerminating'
  | 'Invalid'
  | 'Unauthorized'
  | 'TooManyRequests'
  /** 5xx, or no answer at all. */
  | 'Unavailable'
  | 'Unknown';

/** An answer of the API server that is not 2xx, or an ERROR event of a watch. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  /** `reason` of the Status object, as `AlreadyExists`; empty where a proxy answered. */
  readonly reason: string;
  /** Reasons of `details.causes`. */
  readonly causes: readonly string[];
  /** Fields of `details.causes`, as `spec.replicas`. */
  readonly fields: readonly string[];
  readonly retryAfterMs: number | undefined;

  constructor(status: number, body: unknown, what: string, retryAfter?: string) {
    const it = isRecord(body) ? body : {};
    const said = typeof it.message === 'string' ? it.message : typeof body === 'string' ? body.slice(0, 200) : '';
    super(`${what}: ${status} ${said}`.trim());
    this.status = status;
    this.reason = typeof it.reason === 'string' ? it.reason : '';
    const details = isRecord(it.details) ? it.details : {};
    const causes: unknown[] = Array.isArray(details.causes) ? details.causes : [];
    this.causes = causes.flatMap((cause) => (isRecord(cause) ? [String(cause.reason)] : []));
    this.fields = causes.flatMap((cause) => (isRecord(cause) ? [String(cause.field)] : []));
    const seconds = Number(retryAfter ?? details.retryAfterSeconds);
    this.retryAfterMs = Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : undefined;
  }
}

/** No whole answer came: refused, reset, timed out, no TLS. Whether the server did what was asked is not known. */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError';
}

const BY_STATUS: Readonly<Record<number, Failure>> = {
  400: 'Invalid',
  401: 'Unauthorized',
  404: 'NotFound',
  409: 'Conflict',
  410: 'Gone',
  422: 'Invalid',
  429: 'TooManyRequests',
};

/** What kind of failure this is; `Unknown` for what did not come from the API server. */
export function classify(error: unknown): Failure {
  if (error instanceof NoAnswerError) return 'Unavailable';
  if (!(error instanceof ApiError)) return 'Unknown';
  if (error.reason === 'AlreadyExists') return 'AlreadyExists';
  if (error.causes.includes('NamespaceTerminating')) return 'NamespaceTerminating';
  // An apply with the uid of an object that was replaced is 409 only where no object is there (seen with 1.34).
  if (error.status === 422 && error.fields.includes('metadata.uid')) return 'Conflict';
  // The quota's admission has no reason of its own (kubernetes plugin/pkg/admission/resourcequota).
  if (error.status === 403) return error.message.includes('exceeded quota') ? 'Quota' : 'Forbidden';
  return BY_STATUS[error.status] ?? (error.status >= 500 ? 'Unavailable' : 'Unknown');
}
