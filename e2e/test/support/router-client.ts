import {
  CHANNEL_JSON,
  type CreateSession,
  type Execution,
  type Problem,
  problemSchema,
  type Session,
  type SessionEvent,
} from '@replpool/protocol';

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

  /** Of a session that is lost: why. */
  get lostReason(): unknown {
    return this.problem.code === 'SESSION_LOST' ? this.problem.details?.reason : undefined;
  }
}

/** Speaks to a router as a user with a key does. What is refused is thrown as a Refusal. */
export class RouterClient {
  readonly #url: string;
  readonly #key: string;

  constructor(url: string, key: string) {
    this.#url = url;
    this.#key = key;
  }

  fetch(path: string, init: { method?: string; body?: unknown; accept?: string } = {}): Promise<Response> {
    const { method = init.body === undefined ? 'GET' : 'POST', body, accept = 'application/json' } = init;
    const headers = { authorization: `Bearer ${this.#key}`, 'content-type': 'application/json', accept };
    return fetch(this.#url + path, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) });
  }

  async session(body: CreateSession = {}): Promise<Session> {
    return (await this.#json('/v1/sessions', { body })) as Session;
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
    await this.#answer(`/v1/sessions/${session}`, { method: 'DELETE' });
  }

  async run(session: string, code: string, id?: string): Promise<Execution> {
    const body = { code, ...(id !== undefined && { id }) };
    return (await this.#json(`/v1/sessions/${session}/executions`, { body })) as Execution;
  }

  /** Begins an execution; resolves when it is accepted. */
  async submit(session: string, id: string, code: string): Promise<void> {
    await this.#answer(`/v1/sessions/${session}/executions?wait=false`, { body: { id, code } });
  }

  async execution(session: string, id: string): Promise<Execution> {
    return (await this.#json(`/v1/sessions/${session}/executions/${id}`)) as Execution;
  }

  /** Answers an `input()`. */
  async input(session: string, execution: string, value: string): Promise<void> {
    await this.#answer(`/v1/sessions/${session}/executions/${execution}/input`, { body: { value } });
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

  async #json(path: string, init?: Parameters<RouterClient['fetch']>[1]): Promise<unknown> {
    return await (await this.#answer(path, init)).json();
  }

  async #answer(path: string, init?: Parameters<RouterClient['fetch']>[1]): Promise<Response> {
    const response = await this.fetch(path, init);
    if (!response.ok) throw await Refusal.of(response);
    return response;
  }
}
