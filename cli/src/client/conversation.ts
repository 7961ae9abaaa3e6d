import { randomUUID } from 'node:crypto';
import type { ClientMessage, Completion, EventOf, Execution, Problem, Session, SessionEvent } from '@replpool/protocol';
import { serviceFailed } from '../failure.ts';
import type { Target } from '../target.ts';
import { Channel } from './channel.ts';
import type { HttpClient } from './http-client.ts';
import { problemFailure } from './problem.ts';

/** The other side of a pending `input()`: a line, its end, or nothing (it was interrupted or answered elsewhere). */
export type InputAnswer = { readonly value: string } | { readonly eof: true } | undefined;

export interface ConversationListener {
  event(event: SessionEvent): void;
  input(request: EventOf<'input_request'>, signal: AbortSignal): Promise<InputAnswer>;
  /** Something that the user should know of the connection. */
  notice(text: string): void;
}

interface Pending {
  readonly id: string;
  readonly resolve: (outcome: Execution) => void;
  readonly reject: (error: Error) => void;
}

/** One execution after the other in one session, which is deleted at the end. */
export class Conversation implements AsyncDisposable {
  readonly session: Session;
  readonly #http: HttpClient;
  readonly #listener: ConversationListener;
  #channel: Channel | undefined;
  #pending: Pending | undefined;
  #inputDone: AbortController | undefined;
  readonly #failure = new AbortController();
  /** Sent and not yet seen to have arrived. */
  #unconfirmed: ClientMessage | undefined;

  private constructor(session: Session, http: HttpClient, listener: ConversationListener) {
    this.session = session;
    this.#http = http;
    this.#listener = listener;
  }

  static async open(
    target: Target,
    http: HttpClient,
    session: Session,
    listener: ConversationListener,
  ): Promise<Conversation> {
    const conversation = new Conversation(session, http, listener);
    try {
      conversation.#channel = await Channel.open(target, session.id, {
        disconnected: () => listener.notice('the connection to the service is lost, trying to get it back'),
        reconnected: () => {
          listener.notice('connected again');
          conversation.#resend();
        },
        event: (event) => conversation.#event(event),
        refused: (_execution, problem) => conversation.#refused(problem),
        failed: (error) => conversation.#fail(error),
      });
    } catch (error) {
      await http.deleteSession(session.id).catch(() => undefined);
      throw error;
    }
    return conversation;
  }

  /** Aborts, with the reason, once nothing can be executed any more. */
  get failed(): AbortSignal {
    return this.#failure.signal;
  }

  /** Runs code; resolves with the outcome, whatever it is, and rejects where the service cannot tell one. */
  execute(code: string, timeoutSeconds?: number): Promise<Execution> {
    if (this.failed.aborted) return Promise.reject(this.failed.reason);
    const id = randomUUID();
    const { promise, resolve, reject } = Promise.withResolvers<Execution>();
    this.#pending = { id, resolve, reject };
    this.#send({ type: 'execute', id, code, ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }) });
    return promise;
  }

  interrupt(): void {
    if (this.#pending !== undefined) this.#channel?.send({ type: 'interrupt', execution: this.#pending.id });
  }

  /** Ends a pending execution with an error, without waiting for the service. */
  giveUp(error: Error): void {
    this.#fail(error);
  }

  async complete(code: string, cursor: number): Promise<Completion | undefined> {
    return this.#channel?.complete(code, cursor);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#inputDone?.abort();
    this.#channel?.[Symbol.dispose]();
    const deletion = this.#http.deleteSession(this.session.id);
    // After a failure that one is what counts, and a service that is gone cannot delete.
    await (this.failed.aborted ? deletion.catch(() => undefined) : deletion);
  }

  #send(message: ClientMessage): void {
    this.#unconfirmed = message;
    this.#channel?.send(message);
  }

  /** An execution's id makes this harmless where the first one did arrive; an answer that did is refused (NO_INPUT_PENDING). */
  #resend(): void {
    if (this.#unconfirmed !== undefined) this.#channel?.send(this.#unconfirmed);
  }

  #event(event: SessionEvent): void {
    const id = this.#pending?.id;
    if (event.type !== 'input_request') this.#listener.event(event);
    switch (event.type) {
      case 'queued':
      case 'started':
        if (event.execution === id) this.#unconfirmed = undefined;
        return;
      case 'input_request':
        this.#ask(event);
        return;
      case 'input_done':
        this.#unconfirmed = undefined;
        this.#inputDone?.abort();
        return;
      case 'finished':
        if (event.execution !== id) return;
        this.#inputDone?.abort();
        this.#unconfirmed = undefined;
        this.#pending?.resolve(event.outcome);
        this.#pending = undefined;
        return;
      case 'session':
        if (event.state === 'lost' || event.state === 'closed') {
          this.#fail(serviceFailed(`the session is ${event.state}${event.reason ? ` (${event.reason})` : ''}`));
        }
        return;
      default:
    }
  }

  #ask(request: EventOf<'input_request'>): void {
    const done = new AbortController();
    this.#inputDone = done;
    const execution = request.execution ?? this.#pending?.id;
    this.#listener.input(request, done.signal).then(
      (answer) => {
        if (answer === undefined || done.signal.aborted || execution === undefined) return;
        this.#send({ type: 'input', execution, ...answer });
      },
      (error: Error) => this.#fail(error),
    );
  }

  #refused(problem: Problem): void {
    if (problem.code === 'NO_INPUT_PENDING') return;
    this.#pending?.reject(problemFailure(problem));
    this.#pending = undefined;
    this.#unconfirmed = undefined;
  }

  #fail(error: Error): void {
    this.#failure.abort(error);
    this.#inputDone?.abort();
    this.#pending?.reject(error);
    this.#pending = undefined;
  }
}
