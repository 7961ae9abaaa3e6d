import { randomUUID } from 'node:crypto';
import {
  type ClientMessage,
  type Completion,
  type EventOf,
  type ExecuteRequest,
  type Execution,
  type Problem,
  type Session,
  type SessionEvent,
  type Transaction,
  transactionSchema,
  type Undone,
  undoneSchema,
} from '@replpool/protocol';
import { serviceFailed } from '../failure.ts';
import type { Target } from '../target.ts';
import { Channel, type ChannelListener, type Question } from './channel.ts';
import { expected, type HttpClient } from './http-client.ts';
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

export interface ConversationOptions {
  /** The session was there before and is there afterwards. */
  readonly isKept?: boolean;
}

/** What an execution is sent with, besides its code. */
export type ExecuteOptions = Pick<ExecuteRequest, 'timeoutSeconds' | 'transaction'>;

/** One execution after the other in one session, which is deleted at the end unless it is another's. */
export class Conversation implements AsyncDisposable {
  readonly session: Session;
  readonly #http: HttpClient;
  readonly #listener: ConversationListener;
  readonly #isKept: boolean;
  #channel: Channel | undefined;
  #pending: Pending | undefined;
  #inputDone: AbortController | undefined;
  /** Ends the wait for what was asked of the session. */
  #asking: AbortController | undefined;
  readonly #failure = new AbortController();
  /** Sent and not yet seen to have arrived. */
  #unconfirmed: ClientMessage | undefined;

  private constructor(session: Session, http: HttpClient, listener: ConversationListener, isKept: boolean) {
    this.session = session;
    this.#http = http;
    this.#listener = listener;
    this.#isKept = isKept;
  }

  static async open(
    target: Target,
    http: HttpClient,
    session: Session,
    listener: ConversationListener,
    { isKept = false }: ConversationOptions = {},
  ): Promise<Conversation> {
    const conversation = new Conversation(session, http, listener, isKept);
    const ofChannel: ChannelListener = {
      disconnected: () => listener.notice('the connection to the service is lost, trying to get it back'),
      reconnected: () => {
        listener.notice('connected again');
        conversation.#resend();
      },
      event: (event) => conversation.#event(event),
      refused: (_execution, problem) => conversation.#refused(problem),
      failed: (error) => conversation.#fail(error),
    };
    try {
      conversation.#channel = await Channel.open(target, session.id, ofChannel, { onlyNew: isKept });
    } catch (error) {
      if (!isKept) await http.deleteSession(session.id).catch(() => undefined);
      throw error;
    }
    return conversation;
  }

  /** Aborts, with the reason, once nothing can be executed any more. */
  get failed(): AbortSignal {
    return this.#failure.signal;
  }

  /** Runs code; resolves with the outcome, whatever it is, and rejects where the service cannot tell one. */
  execute(code: string, options: ExecuteOptions = {}): Promise<Execution> {
    if (this.failed.aborted) return Promise.reject(this.failed.reason);
    const id = randomUUID();
    const { promise, resolve, reject } = Promise.withResolvers<Execution>();
    this.#pending = { id, resolve, reject };
    this.#send({ type: 'execute', id, code, ...options });
    return promise;
  }

  /** Ends the open explicit transaction. @param transaction its id, where it is known @throws CommandFailure */
  async endTransaction(how: 'commit' | 'rollback', transaction?: string): Promise<Transaction> {
    const value = await this.#ask({ type: how, ...(transaction !== undefined && { transaction }) });
    return expected(value, transactionSchema, 'transaction');
  }

  /** Goes back to before the last so many executions. @throws CommandFailure */
  async undo(executions: number): Promise<Undone> {
    return expected(await this.#ask({ type: 'undo', executions }), undoneSchema, 'answer to an undo');
  }

  /** Live copies of the session, which are there after its end. @throws CommandFailure */
  fork(count: number): Promise<Session[]> {
    return this.#http.fork(this.session.id, { count });
  }

  /** Ends what runs, or the wait for an answer. */
  interrupt(): void {
    if (this.#pending !== undefined) this.#channel?.send({ type: 'interrupt', execution: this.#pending.id });
    this.#asking?.abort();
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
    if (this.#isKept) return;
    const deletion = this.#http.deleteSession(this.session.id);
    // After a failure that one is what counts, and a service that is gone cannot delete.
    await (this.failed.aborted ? deletion.catch(() => undefined) : deletion);
  }

  async #ask(question: Question): Promise<unknown> {
    this.failed.throwIfAborted();
    const asking = new AbortController();
    this.#asking = asking;
    try {
      return await this.#channel?.request(question, asking.signal);
    } finally {
      this.#asking = undefined;
    }
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
        // What another client's code asks for is for that one to answer.
        if (!this.#isKept || (id !== undefined && (event.execution ?? id) === id)) this.#askUser(event);
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

  #askUser(request: EventOf<'input_request'>): void {
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
    this.#asking?.abort();
    this.#inputDone?.abort();
    this.#pending?.reject(error);
    this.#pending = undefined;
  }
}
