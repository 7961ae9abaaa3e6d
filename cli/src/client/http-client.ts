import {
  type CreateSession,
  type ForkSession,
  type Session,
  sessionListSchema,
  sessionSchema,
} from '@replpool/protocol';
import type { z } from 'zod';
import { serviceFailed } from '../failure.ts';
import type { Target } from '../target.ts';
import { answerFailure, unreachable } from './problem.ts';

const requestTimeoutMs = 60_000;
const creationAttempts = 30;
const retryMs = 1_000;

export function authorization(target: Target): Record<string, string> {
  return target.apiKey === undefined ? {} : { authorization: `Bearer ${target.apiKey}` };
}

/** The few HTTP calls that the commands need; every error is a CommandFailure. */
export class HttpClient {
  readonly #target: Target;

  constructor(target: Target) {
    this.#target = target;
  }

  /** A new session; waits while the service's zygotes are still warming. */
  async createSession(body: CreateSession): Promise<Session> {
    for (let attempt = 1; ; attempt += 1) {
      const response = await this.#request('POST', 'v1/sessions', JSON.stringify(body), 'application/json');
      const text = await response.text();
      if (response.ok) return expected(JSON.parse(text), sessionSchema, 'session');
      if (response.status !== 503 || attempt === creationAttempts) throw answerFailure(response.status, text);
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
  }

  async session(id: string): Promise<Session> {
    const response = await this.#request('GET', `v1/sessions/${encodeURIComponent(id)}`);
    return expected(JSON.parse(await this.#expectOk(response)), sessionSchema, 'session');
  }

  /** Live copies of a session. */
  async fork(session: string, body: ForkSession): Promise<Session[]> {
    const response = await this.#request(
      'POST',
      `v1/sessions/${session}/fork`,
      JSON.stringify(body),
      'application/json',
    );
    return expected(JSON.parse(await this.#expectOk(response)), sessionListSchema, 'list of sessions').items;
  }

  /** Whatever the service says. @param path below its URL, with a query */
  async get(path: string): Promise<{ status: number; body: string }> {
    const response = await this.#request('GET', path);
    return { status: response.status, body: await response.text() };
  }

  async putFile(session: string, name: string, content: Uint8Array<ArrayBuffer>): Promise<void> {
    const path = `v1/sessions/${session}/files/${name.split('/').map(encodeURIComponent).join('/')}`;
    await this.#expectOk(await this.#request('PUT', path, content, 'application/octet-stream'));
  }

  async deleteSession(session: string): Promise<void> {
    const response = await this.#request('DELETE', `v1/sessions/${session}`);
    // Gone already is what was wanted.
    if (response.status === 404 || response.status === 410) return void (await response.body?.cancel());
    await this.#expectOk(response);
  }

  async #expectOk(response: Response): Promise<string> {
    const text = await response.text();
    if (!response.ok) throw answerFailure(response.status, text);
    return text;
  }

  async #request(
    method: string,
    path: string,
    body?: string | Uint8Array<ArrayBuffer>,
    type?: string,
  ): Promise<Response> {
    try {
      return await fetch(new URL(path, this.#target.url), {
        method,
        headers: { ...authorization(this.#target), ...(type === undefined ? {} : { 'content-type': type }) },
        signal: AbortSignal.timeout(requestTimeoutMs),
        ...(body === undefined ? {} : { body }),
      });
    } catch (error) {
      throw unreachable(this.#target, error);
    }
  }
}

/** @param what it is to be, for the failure */
export function expected<S extends z.ZodType>(value: unknown, schema: S, what: string): z.output<S> {
  const read = schema.safeParse(value);
  if (!read.success) throw serviceFailed(`the service answered with something that is no ${what}`);
  return read.data;
}
