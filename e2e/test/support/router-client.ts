import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  CHANNEL_JSON,
  type CreateSession,
  type Execution,
  type Problem,
  problemSchema,
  type Session,
  type SessionEvent,
  type TransactionRequest,
} from '@replpool/protocol';

/** Who waited for as long as `Retry-After` says would meet fewer changes. */
const RETRY_MS = 50;
/** For what is to be asked until it is so. */
const LOOK_MS = 20;

type Init = { readonly method?: string; readonly body?: unknown; readonly accept?: string };

/** An answer that is an error of the registry. */
export class Refusal extends Error {
  readonly problem: Problem;
  readonly retryAfter: string | null;

  constructor(problem: Problem, retryAfter: string | null) {
    super(`${problem.status} ${problem.code}: ${problem.what}`);
    this.problem = problem;
    this.retryAfter = retryAfter;
  }

  /** @throws ZodError where the answer is not the registry's */
  static async of(response: Response): Promise<Refusal> {
    return new Refusal(problemSchema.parse(await response.json()), response.headers.get('retry-after'));
  }

  /** Whether the same request is to be sent again, later. */
  get isToComeAgain(): boolean {
    const { status, retryable } = this.problem;
    return retryable && (status === 429 || status === 503) && this.retryAfter !== null;
  }

  /** Of a session that is lost: why. */
  get lostReason(): unknown {
    return this.problem.code === 'SESSION_LOST' ? this.problem.details?.reason : undefined;
  }
}

/** The refusal of a request; undefined where it is granted. */
export async function refusalOf(request: Promise<unknown>): Promise<Refusal | undefined> {
  try {
    await request;
    return undefined;
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
}

/** Why a session is lost, as a request that concerns it is told; undefined where it is not. */
export async function lossOf(request: Promise<unknown>): Promise<unknown> {
  return (await refusalOf(request))?.lostReason;
}

/** Speaks to a router as a user with a key does. What is refused is thrown as a Refusal. */
export class RouterClient {
  readonly #url: string;
  readonly #key: string;
  readonly #retried: ((refusal: Refusal) => void) | undefined;

  /** @param retried for a user who comes again where the answer says so; called each time */
  constructor(url: string, key: string, retried?: (refusal: Refusal) => void) {
    this.#url = url;
    this.#key = key;
    this.#retried = retried;
  }

  /** The same user, who now comes again where the answer says so. A machine with more to do than it can has silent agents, too. */
  patient(retried: (refusal: Refusal) => void = () => undefined): RouterClient {
    return new RouterClient(this.#url, this.#key, retried);
  }

  fetch(path: string, init: Init = {}): Promise<Response> {
    const { method = init.body === undefined ? 'GET' : 'POST', body, accept = 'application/json' } = init;
    const headers = { authorization: `Bearer ${this.#key}`, 'content-type': 'application/json', accept };
    return fetch(this.#url + path, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) });
  }

  async session(body: CreateSession = {}): Promise<Session> {
    return (await this.#json('/v1/sessions', { body: { id: randomUUID(), ...body } })) as Session;
  }

  async get(session: string): Promise<Session> {
    return (await this.#json(`/v1/sessions/${session}`)) as Session;
  }

  /** The ids of all sessions. */
  async list(): Promise<string[]> {
    const { items } = (await this.#json('/v1/sessions?limit=1000')) as { items: Session[] };
    return items.map(({ id }) => id);
  }

  async end(session: string): Promise<void> {
    await this.#answer(`/v1/sessions/${session}`, { method: 'DELETE' }, 'SESSION_NOT_FOUND');
  }

  async run(
    session: string,
    code: string,
    id: string = randomUUID(),
    transaction?: TransactionRequest,
  ): Promise<Execution> {
    const body = { code, id, ...(transaction && { transaction }) };
    return (await this.#json(`/v1/sessions/${session}/executions`, { body })) as Execution;
  }

  /** Begins an execution; resolves when it is accepted. */
  async submit(session: string, id: string, code: string): Promise<void> {
    await this.#answer(`/v1/sessions/${session}/executions?wait=false`, { body: { id, code } });
  }

  /** Resolves when an execution of this id has come to its session. */
  async accepted(session: string, id: string): Promise<void> {
    while ((await this.fetch(`/v1/sessions/${session}/executions/${id}`)).status !== 200) await sleep(LOOK_MS);
  }

  /** Answers an `input()`, as soon as the code asks for it. */
  async input(session: string, execution: string, value: string): Promise<void> {
    const path = `/v1/sessions/${session}/executions/${execution}/input`;
    for (;;) {
      try {
        await this.#answer(path, { body: { value } });
        return;
      } catch (error) {
        if (!(error instanceof Refusal) || error.problem.code !== 'NO_INPUT_PENDING') throw error;
      }
      await sleep(LOOK_MS);
    }
  }

  /** The events of an execution as they come. */
  async *events(session: string, body: { code: string; id?: string }): AsyncGenerator<SessionEvent> {
    const path = `/v1/sessions/${session}/executions`;
    const response = await this.#answer(path, { body, accept: 'application/x-ndjson' });
    const decoder = new TextDecoder();
    let held = '';
    for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      const lines = (held + decoder.decode(chunk, { stream: true })).split('\n');
      held = lines.pop() ?? '';
      for (const line of lines) yield JSON.parse(line) as SessionEvent;
    }
  }

  /** The channel of a session; each message as it comes. @param from the last event that the client has */
  channel(session: string, from?: number): WebSocket {
    const query = from === undefined ? '' : `?from=${from}`;
    const url = `${this.#url.replace('http', 'ws')}/v1/sessions/${session}/channel${query}`;
    return new WebSocket(url, { protocols: [CHANNEL_JSON], headers: { authorization: `Bearer ${this.#key}` } });
  }

  async #json(path: string, init?: Init): Promise<unknown> {
    return await (await this.#answer(path, init)).json();
  }

  /** @param done the code by which a repeated request finds that the first one did it */
  async #answer(path: string, init?: Init, done?: string): Promise<Response> {
    for (let repeated = false; ; repeated = true) {
      const response = await this.fetch(path, init);
      if (response.ok) return response;
      const refusal = await Refusal.of(response);
      if (repeated && refusal.problem.code === done) return response;
      if (this.#retried === undefined || !refusal.isToComeAgain) throw refusal;
      this.#retried(refusal);
      await sleep(RETRY_MS);
    }
  }
}
