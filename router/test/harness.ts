import { hash } from 'node:crypto';
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AuthConfig } from '@replpool/protocol';
import type { Logger } from 'pino';
import { type Router, startRouter } from '../src/index.ts';
import { FakeAgent } from './fake-agent.ts';

export const ids = {
  a: '00000000-0000-4000-8000-00000000000a',
  b: '00000000-0000-4000-8000-00000000000b',
  c: '00000000-0000-4000-8000-00000000000c',
  unknown: '00000000-0000-4000-8000-0000000000ff',
};

export const keys: AuthConfig = {
  mode: 'apiKeys',
  keys: [
    { name: 'ann', sha256: hash('sha256', 'ann-key') },
    { name: 'bob', sha256: hash('sha256', 'bob-key') },
    { name: 'root', sha256: hash('sha256', 'root-key'), admin: true },
  ],
};

export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  // biome-ignore lint/suspicious/noExplicitAny: what a test expects is what it asserts
  readonly body: any;
}

/** A router before fake agents; all of it ends with the scope. */
export class Harness implements AsyncDisposable {
  readonly router: Router;
  readonly agents: FakeAgent[];

  private constructor(router: Router, agents: FakeAgent[]) {
    this.router = router;
    this.agents = agents;
  }

  static async start(
    agents: FakeAgent[] = [new FakeAgent('data-1')],
    auth: AuthConfig = { mode: 'none' },
    log?: Logger,
  ) {
    await Promise.all(agents.map((agent) => agent.start()));
    const config = { listen: { host: '127.0.0.1', port: 0 }, auth, agents: agents.map(({ endpoint }) => endpoint) };
    const harness = new Harness(await startRouter(config, { ...(log && { log }) }), agents);
    if (agents.length > 0)
      await harness.until(() => harness.call('GET', '/metrics').then((it) => allUp(it.body, agents)));
    return harness;
  }

  get agent(): FakeAgent {
    const [first] = this.agents;
    if (first === undefined) throw new Error('no agent');
    return first;
  }

  get url(): string {
    return `http://127.0.0.1:${this.router.port}`;
  }

  /** Resolves once the condition holds; the time only ends a test that fails. */
  async until(condition: () => boolean | Promise<boolean>, ms = 10_000): Promise<void> {
    const begin = performance.now();
    while (!(await condition())) {
      if (performance.now() - begin > ms) throw new Error(`not within ${ms} ms`);
      await sleep(10);
    }
  }

  /** By node:http and not fetch, which would normalise paths and refuse Host. */
  call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const bytes = body === undefined || Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
      const type = body === undefined ? {} : { 'content-type': 'application/json' };
      const length = bytes === undefined ? {} : { 'content-length': String((bytes as Buffer).length) };
      const options = { port: this.router.port, host: '127.0.0.1', method, path, agent: false as const };
      const req = request({ ...options, headers: { ...type, ...length, ...headers } }, (res) => {
        const chunks: Buffer[] = [];
        res.on('data', (chunk: Buffer) => chunks.push(chunk));
        res.on('error', reject);
        res.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          const isJson = String(res.headers['content-type']).includes('json') && text !== '';
          resolve({ status: res.statusCode ?? 0, headers: res.headers, body: isJson ? JSON.parse(text) : text });
        });
      });
      req.on('error', reject);
      req.end(bytes);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.router.close();
    await Promise.all(this.agents.map((agent) => agent.kill()));
  }
}

export const as = (name: string): Record<string, string> => ({ authorization: `Bearer ${name}-key` });

const allUp = (text: string, agents: FakeAgent[]): boolean =>
  agents.every(({ pool, pod }) => text.includes(`replpool_agent_up{pool="${pool}",pod="${pod}"} 1`));
