import type { Execution, Session, SessionEvent } from '@replpool/protocol';

export const TOKEN = 'token-of-the-tests';

/** Speaks HTTP to an agent as its router does. */
export class AgentClient {
  readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  get headers(): Record<string, string> {
    return { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' };
  }

  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(`${this.url}${path}`, {
      ...init,
      headers: { ...this.headers, ...(init.headers as Record<string, string>) },
    });
  }

  post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
    return this.fetch(path, { method: 'POST', body: JSON.stringify(body), headers });
  }

  async session(body: Record<string, unknown> = {}): Promise<Session> {
    const response = await this.post('/v1/sessions', body);
    if (response.status !== 201) throw new Error(`${response.status}: ${await response.text()}`);
    return (await response.json()) as Session;
  }

  async run(session: string, code: string, body: Record<string, unknown> = {}): Promise<Execution> {
    const response = await this.post(`/v1/sessions/${session}/executions`, { code, ...body });
    if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
    return (await response.json()) as Execution;
  }

  /** The events of an execution as they come. */
  async *events(session: string, body: Record<string, unknown>): AsyncGenerator<SessionEvent> {
    const response = await this.post(`/v1/sessions/${session}/executions`, body, { accept: 'application/x-ndjson' });
    let held = '';
    for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      held += Buffer.from(chunk).toString('utf8');
      const lines = held.split('\n');
      held = lines.pop() ?? '';
      for (const line of lines) yield JSON.parse(line) as SessionEvent;
    }
  }
}
