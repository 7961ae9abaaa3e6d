import { z } from 'zod';
import { type ErrorCode, errorCodes, errorDefinition } from './error-registry.ts';

/** Where the page about each code stands; a problem's `type` is this with the code as fragment. */
export const ERROR_TYPE_BASE = 'https://replpool.dev/errors#';

/** The content type of an error answer (RFC 9457). */
export const PROBLEM_CONTENT_TYPE = 'application/problem+json';

/** The body of every error answer, and the `problem` of a channel message. */
export const problemSchema = z
  .strictObject({
    type: z.string().describe('A URI that names the code and leads to its page.'),
    title: z.string(),
    status: z.int().min(400).max(599),
    code: z.enum(errorCodes),
    what: z.string().describe('What went wrong.'),
    why: z.string().describe('Why it did.'),
    how: z.string().describe('How to fix it.'),
    retryable: z.boolean().describe('Whether the same request can succeed later.'),
    details: z.record(z.string(), z.unknown()).optional(),
  })
  .describe('application/problem+json (RFC 9457)');
export type Problem = z.infer<typeof problemSchema>;

/** What an error may say beyond its code and its `what`. */
export interface ReplPoolErrorOptions {
  /** The cause in this case; else the registry's usual one. */
  readonly why?: string | undefined;
  /** The remedy in this case; else the registry's usual one. */
  readonly how?: string | undefined;
  /** Facts for programs, such as `{field}` or `{reason}`. */
  readonly details?: Record<string, unknown> | undefined;
  /** What `Retry-After` shall say; else the registry's value. */
  readonly retryAfterSeconds?: number | undefined;
  /** The error that led to this one; it is logged, and never sent to a client. */
  readonly cause?: unknown;
}

/** The one error that crosses the interfaces of ReplPool: a code of the registry and what happened. */
export class ReplPoolError extends Error {
  override readonly name = 'ReplPoolError';
  readonly code: ErrorCode;
  readonly what: string;
  readonly why: string;
  readonly how: string;
  readonly status: number;
  readonly retryable: boolean;
  readonly details: Record<string, unknown> | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, what: string, options: ReplPoolErrorOptions = {}) {
    super(what, options.cause === undefined ? undefined : { cause: options.cause });
    const definition = errorDefinition(code);
    this.code = code;
    this.what = what;
    this.why = options.why ?? definition.why;
    this.how = options.how ?? definition.how;
    this.status = definition.status;
    this.retryable = definition.retryable;
    this.details = options.details;
    this.retryAfterSeconds = options.retryAfterSeconds ?? definition.retryAfterSeconds;
  }

  /** The problem+json object; without `cause` and stack, which are not the client's. */
  toProblem(): Problem {
    return {
      type: ERROR_TYPE_BASE + this.code,
      title: errorDefinition(this.code).title,
      status: this.status,
      code: this.code,
      what: this.what,
      why: this.why,
      how: this.how,
      retryable: this.retryable,
      ...(this.details === undefined ? {} : { details: this.details }),
    };
  }

  /** The error that another part answered with. */
  static fromProblem(problem: Problem, retryAfterSeconds?: number): ReplPoolError {
    const { code, what, why, how, details } = problem;
    return new ReplPoolError(code, what, { why, how, details, retryAfterSeconds });
  }
}
