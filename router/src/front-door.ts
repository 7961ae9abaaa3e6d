import type { IncomingMessage, ServerResponse } from 'node:http';
import { invalidRequest, type MatchedPath, matchPath, ReplPoolError, type RouterConfig } from '@replpool/protocol';
import { notServed, pathOf, sendProblem, toReplPoolError } from '@replpool/service';
import type { Express } from 'express';
import { type Caller, OWN } from './auth/caller.ts';
import { type Awaitable, after } from './awaitable.ts';
import { auditDenied, notListed, type RouterContext } from './context.ts';
import type { Answers } from './drain/answers.ts';
import { type PathProblem, parseSessionPath, type SessionPath } from './session-path.ts';
import { proxySession } from './session-proxy.ts';

/** Who is not asked who they are. */
const ANYBODY: Caller = { name: '', rights: OWN };

/** What happens to each request, from its head on. */
export class FrontDoor {
  readonly #context: RouterContext;
  readonly #app: Express;
  readonly #config: RouterConfig;
  readonly #answers: Answers;

  constructor(context: RouterContext, app: Express, config: RouterConfig, answers: Answers) {
    this.#context = context;
    this.#app = app;
    this.#config = config;
    this.#answers = answers;
  }

  answer(req: IncomingMessage, res: ServerResponse): void {
    const { authenticator, metrics } = this.#context;
    const startedAt = performance.now();
    const matched = matchPath(pathOf(req));
    this.#answers.begin(res);
    res.once('close', () => {
      this.#answers.end(res);
      // 499 as nginx has it: the client went away before there was a status.
      metrics.observe(matched?.path ?? 'other', res.headersSent ? res.statusCode : 499, startedAt);
    });
    const isOpen = this.#isOpen(matched);
    const caller: Awaitable<Caller | ReplPoolError> = isOpen ? ANYBODY : authenticator.authenticate(req.headers);
    const admitted = after(caller, (known) => this.#admit(known, matched, isOpen, req, res));
    if (admitted instanceof Promise) admitted.catch((thrown: unknown) => this.#fail(thrown, res));
  }

  #isOpen(matched: MatchedPath | undefined): boolean {
    const { auth } = this.#config;
    return auth.mode !== 'none' && matched?.open === true && !this.#isElsewhere(matched);
  }

  /** Where metrics have a port of their own, clients get none: they name all pools and pods. */
  #isElsewhere(matched: MatchedPath | undefined): boolean {
    return this.#config.health !== undefined && matched?.path === '/metrics';
  }

  #admit(
    caller: Caller | ReplPoolError,
    matched: MatchedPath | undefined,
    isOpen: boolean,
    req: IncomingMessage,
    res: ServerResponse,
  ): void {
    const url = req.url ?? '';
    if (caller instanceof ReplPoolError) {
      auditDenied(this.#context.log, caller, { method: req.method ?? '', path: url.slice(0, 200) });
      sendProblem(res, caller);
      return;
    }
    const path = parseSessionPath(url);
    const served = this.#isElsewhere(matched) ? undefined : matched;
    const refused = pathRefusal(path) ?? notServed(req, served) ?? (isOpen ? undefined : notListed(this.#context));
    if (refused !== undefined) sendProblem(res, refused);
    else if (typeof path === 'object') {
      proxySession(this.#context, caller, path, req, res).catch((thrown: unknown) => this.#fail(thrown, res));
    } else {
      // Express has no type for locals set from outside before it runs.
      Object.assign(res, { locals: { caller } });
      this.#app(req, res);
    }
  }

  #fail(thrown: unknown, res: ServerResponse): void {
    const error = toReplPoolError(thrown);
    if (error.code === 'INTERNAL') this.#context.log.error({ err: error }, 'a request failed');
    sendProblem(res, error);
  }
}

function pathRefusal(path: SessionPath | PathProblem): ReplPoolError | undefined {
  switch (path) {
    case 'bad-id':
      return new ReplPoolError('SESSION_NOT_FOUND', 'there is no such session', {
        why: 'the id of a session is a UUID',
      });
    case 'dot-segment':
      return invalidRequest('path', 'has a dot segment or a backslash');
    default:
      return undefined;
  }
}
