import assert from 'node:assert/strict';
import type { Execution, Problem, Session, SessionEvent, Transaction, Undone } from '@replpool/protocol';
import type { AgentClient } from './agent-client.ts';
import { eventually } from './eventually.ts';
import { checkEvents, eventsOf } from './session-events.ts';

/** An answer that may be a problem: `code` is that of the problem then. */
export interface Answer<T> {
  readonly http: number;
  readonly body: T;
  readonly code: string | undefined;
}

/** Speaks of one session with its agent, and takes a refusal for an answer. */
export class SessionClient {
  readonly id: string;
  readonly #agent: AgentClient;

  constructor(agent: AgentClient, id: string) {
    this.#agent = agent;
    this.id = id;
  }

  static async create(agent: AgentClient, body: Record<string, unknown> = {}): Promise<SessionClient> {
    return new SessionClient(agent, (await agent.session(body)).id);
  }

  async post<T>(path: string, body: unknown = {}): Promise<Answer<T>> {
    const response = await this.#agent.post(`${this.path}${path}`, body);
    const answer = (await response.json()) as T & Partial<Problem>;
    return { http: response.status, body: answer, code: response.ok ? undefined : answer.code };
  }

  get path(): string {
    return `/v1/sessions/${this.id}`;
  }

  run(code: string, body: Record<string, unknown> = {}): Promise<Execution> {
    return this.#agent.run(this.id, code, body);
  }

  /** The `text/plain` of what code gives. */
  async value(code: string): Promise<string> {
    const { result, error } = await this.run(code);
    return String(result?.data['text/plain'] ?? JSON.stringify(error));
  }

  execute(code: string, body: object = {}): Promise<Answer<Execution>> {
    return this.post('/executions', { code, ...body });
  }

  /** Resolves once it is queued, or runs. */
  async begin(code: string, body: { readonly id: string }): Promise<{ readonly ended: Promise<Answer<Execution>> }> {
    const ended = this.execute(code, body);
    await eventually(`${body.id} is known`, () => this.execution(body.id));
    return { ended };
  }

  end(how: 'commit' | 'rollback', body: object = {}): Promise<Answer<Transaction>> {
    return this.post(`/transaction/${how}`, body);
  }

  undo(executions?: number): Promise<Answer<Undone>> {
    return this.post('/undo', executions === undefined ? {} : { executions });
  }

  fork(body: object = {}): Promise<Answer<{ items: Session[] }>> {
    return this.post('/fork', body);
  }

  async restart(): Promise<void> {
    assert.equal((await this.post('/restart')).http, 200);
  }

  async delete(): Promise<void> {
    await this.#agent.fetch(this.path, { method: 'DELETE' });
  }

  async state(): Promise<Session> {
    return (await (await this.#agent.fetch(this.path)).json()) as Session;
  }

  async execution(id: string): Promise<Execution | undefined> {
    const response = await this.#agent.fetch(`${this.path}/executions/${id}`);
    return response.ok ? ((await response.json()) as Execution) : void (await response.body?.cancel());
  }

  /** Resolves once an execution has printed this. */
  async prints(id: string, text: string): Promise<void> {
    await eventually(`${id} prints ${text}`, async () => (await this.execution(id))?.stdout.includes(text));
  }

  /** Answers an `input()`. */
  async answer(id: string, value = ''): Promise<void> {
    await eventually(
      `${id} asks for input`,
      async () => (await this.#agent.post(`${this.path}/executions/${id}/input`, { value })).ok,
    );
  }

  /** Of its worker. */
  async pid(): Promise<number> {
    return Number(await this.value('__import__("os").getpid()'));
  }

  /** All events up to now. */
  events(): Promise<SessionEvent[]> {
    return eventsOf(this.#agent, this.id);
  }

  /** Likewise once nothing is under way, checked for what holds of any session. */
  async settled(): Promise<SessionEvent[]> {
    await eventually('the session is idle', async () => (await this.state()).state === 'idle');
    const events = await this.events();
    checkEvents(events);
    return events;
  }
}
