import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Execution,
  type ReplPoolSpecInput,
  replPoolSpecSchema,
  type Session,
  type SessionEvent,
} from '@replpool/protocol';
import { pino } from 'pino';
import { type RunningAgent, startAgent } from '../src/index.ts';

const TOKEN = 'token-of-the-tests';

/** The interpreter of the development environment, made on first use. */
export function python(): string {
  const script = join(import.meta.dirname, '../../scripts/python.mjs');
  return execFileSync(process.execPath, [script, '-c', 'import sys; print(sys.executable)'], {
    encoding: 'utf8',
  }).trim();
}

/** A real agent with real workers on a free port of the loopback. */
export class RealAgent {
  readonly url: string;
  readonly runDirectory: string;
  readonly #agent: RunningAgent;

  private constructor(agent: RunningAgent, runDirectory: string) {
    this.#agent = agent;
    this.runDirectory = runDirectory;
    this.url = `http://127.0.0.1:${agent.port}`;
  }

  /** Resolves when the zygote is warm. */
  static async start(spec: ReplPoolSpecInput = {}): Promise<RealAgent> {
    const runDirectory = join(mkdtempSync(join(tmpdir(), 'replpool-')), 'run');
    const ready = Promise.withResolvers<void>();
    const agent = await startAgent(
      {
        pool: 'default',
        pod: 'default-0',
        listen: { host: '127.0.0.1', port: 0 },
        token: TOKEN,
        spec: replPoolSpecSchema.parse(spec),
        python: python(),
        runDirectory,
      },
      pino({ level: process.env.TEST_LOG ?? 'silent' }),
      { ready: ready.resolve, failed: (message) => ready.reject(new Error(message)), lost: ready.reject },
    );
    await ready.promise;
    return new RealAgent(agent, runDirectory);
  }

  close(): Promise<void> {
    return this.#agent.close();
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
