import { CHANNEL_JSON, type Execution, type Session, type SessionEvent } from '@replpool/protocol';

/** Speaks to a router as a user with a key does. */
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

  async session(): Promise<Session> {
    const response = await this.fetch('/v1/sessions', { body: {} });
    if (response.status !== 201) throw new Error(`${response.status}: ${await response.text()}`);
    return (await response.json()) as Session;
  }

  async run(session: string, code: string): Promise<Execution> {
    const response = await this.fetch(`/v1/sessions/${session}/executions`, { body: { code } });
    if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
    return (await response.json()) as Execution;
  }

  /** The events of an execution as they come. */
  async *events(session: string, body: { code: string; id?: string }): AsyncGenerator<SessionEvent> {
    const path = `/v1/sessions/${session}/executions`;
    const response = await this.fetch(path, { body, accept: 'application/x-ndjson' });
    if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
    const decoder = new TextDecoder();
    let held = '';
    for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      const lines = (held + decoder.decode(chunk, { stream: true })).split('\n');
      held = lines.pop() ?? '';
      for (const line of lines) yield JSON.parse(line) as SessionEvent;
    }
  }

  /** The channel of a session; each message as it comes. */
  channel(session: string): WebSocket {
    const url = `${this.#url.replace('http', 'ws')}/v1/sessions/${session}/channel`;
    return new WebSocket(url, { protocols: [CHANNEL_JSON], headers: { authorization: `Bearer ${this.#key}` } });
  }
}
