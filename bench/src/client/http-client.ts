import {
  type CreateSession,
  type Pool,
  poolSchema,
  type Session,
  sessionListSchema,
  sessionSchema,
  type TransactionPolicy,
  type Undone,
  undoneSchema,
} from '@replpool/protocol';
import { Pool as ConnectionPool, type Dispatcher } from 'undici';
import { Lines } from './lines.ts';
import { expectOutcome, type Message, type Outcome, readMessage, readOutcome } from './message.ts';

const connections = 128;
const json = { 'content-type': 'application/json' };

/** HTTP with keep-alive, as a client in the same process would use it. Ends when the signal does. */
export class HttpClient implements AsyncDisposable {
  readonly #pool: ConnectionPool;
  readonly #signal: AbortSignal;
  readonly #abort = (): void => void this.#pool.destroy(asError(this.#signal.reason));

  constructor(url: URL, signal: AbortSignal) {
    signal.throwIfAborted();
    this.#pool = new ConnectionPool(url.origin, { connections });
    this.#signal = signal;
    signal.addEventListener('abort', this.#abort, { once: true });
  }

  async createSession(body: CreateSession = {}): Promise<Session> {
    return sessionSchema.parse(await this.#json('POST', '/v1/sessions', body));
  }

  async deleteSession(id: string): Promise<void> {
    // The service is ending, and its sessions with it.
    if (this.#signal.aborted) return;
    await (await this.#request('DELETE', `/v1/sessions/${id}`)).body.dump();
  }

  /** Resolves with the live copies, as many as were asked for. */
  async forkSession(id: string, count: number): Promise<readonly Session[]> {
    const { items } = sessionListSchema.parse(await this.#json('POST', `/v1/sessions/${id}/fork`, { count }));
    if (items.length === count) return items;
    throw new Error(`a fork made ${items.length} copies, not ${count}`);
  }

  async undo(id: string, executions: number): Promise<Undone> {
    return undoneSchema.parse(await this.#json('POST', `/v1/sessions/${id}/undo`, { executions }));
  }

  /** Runs code; resolves with the answer, which comes at its end. */
  async execute(session: string, code: string, policy?: TransactionPolicy): Promise<Outcome> {
    const body = { code, ...(policy && { transaction: { policy } }) };
    return readOutcome(await this.#json('POST', `/v1/sessions/${session}/executions`, body));
  }

  /** Runs code and hears its events as NDJSON; resolves at the end of the stream. @throws Error unless the code ended well */
  async stream(session: string, code: string, heard: (message: Message) => void): Promise<void> {
    const headers = { ...json, accept: 'application/x-ndjson' };
    const { body } = await this.#request('POST', `/v1/sessions/${session}/executions`, { code }, headers);
    const lines = new Lines();
    let status = 'not finished';
    body.setEncoding('utf8');
    for await (const chunk of body) {
      for (const line of lines.push(String(chunk))) {
        const message = readMessage(JSON.parse(line));
        if (message.type === 'finished') status = message.status;
        heard(message);
      }
    }
    if (lines.unfinished) throw new Error('the stream ended within a line');
    expectOutcome({ status, result: undefined });
  }

  async interrupt(session: string): Promise<void> {
    await (await this.#request('POST', `/v1/sessions/${session}/interrupt`, {})).body.dump();
  }

  async pool(name: string): Promise<Pool> {
    return poolSchema.parse(await this.#json('GET', `/v1/pools/${name}`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal.removeEventListener('abort', this.#abort);
    await this.#pool.destroy();
  }

  async #json(method: 'GET' | 'POST', path: string, body?: object): Promise<unknown> {
    return await (await this.#request(method, path, body)).body.json();
  }

  async #request(
    method: Dispatcher.HttpMethod,
    path: string,
    body?: object,
    headers: Record<string, string> = json,
  ): Promise<Dispatcher.ResponseData> {
    const request = body === undefined ? { method, path } : { method, path, headers, body: JSON.stringify(body) };
    const answer = await this.#pool.request(request);
    if (answer.statusCode < 300) return answer;
    throw new Error(`${method} ${path} answered ${answer.statusCode}: ${await answer.body.text()}`);
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
