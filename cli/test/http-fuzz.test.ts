import assert from 'node:assert/strict';
import { Agent, request } from 'node:http';
import {
  completionSchema,
  type ErrorCode,
  errorRegistry,
  executionListSchema,
  executionSchema,
  fileListSchema,
  inspectionSchema,
  openApiDocument,
  PROBLEM_CONTENT_TYPE,
  poolListSchema,
  poolSchema,
  problemSchema,
  sessionListSchema,
  sessionSchema,
  transactionSchema,
  undoneSchema,
  variableDetailSchema,
  variableListSchema,
} from '@replpool/protocol';
import { type Router, startRouter } from '@replpool/router';
import fc from 'fast-check';
import type { z } from 'zod';
import { TOKEN } from '../../session-agent/test/agent-client.ts';
import { RealAgent } from '../../session-agent/test/real-agent.ts';
import { type HttpRequest, requests } from './support/http-arbitraries.ts';
import { until } from './support/processes.ts';

const rounds = Number(process.env.FUZZ_ROUNDS ?? 700);
const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
/** No answer takes so long, on whichever machine: each piece of code ends at once. */
const PATIENCE_MS = 60_000;

const nouns: Record<string, z.ZodType> = {
  Session: sessionSchema,
  SessionList: sessionListSchema,
  Execution: executionSchema,
  ExecutionList: executionListSchema,
  Transaction: transactionSchema,
  Undone: undoneSchema,
  VariableList: variableListSchema,
  VariableDetail: variableDetailSchema,
  Completion: completionSchema,
  Inspection: inspectionSchema,
  FileList: fileListSchema,
  Pool: poolSchema,
  PoolList: poolListSchema,
};
const { paths } = openApiDocument() as { paths: Record<string, Record<string, { responses: object }>> };

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly retryAfter: string | undefined;
  readonly text: string;
}

/** Not by fetch, which corrects what it sends. */
function send(base: string, { route, path, body, ...made }: HttpRequest, agent: Agent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const url = new URL(base);
    const headers = { ...made.headers, ...(body !== undefined && { 'content-length': String(body.length) }) };
    const sent = request(
      {
        host: url.hostname,
        port: url.port,
        path,
        method: route.method.toUpperCase(),
        headers,
        agent,
        timeout: PATIENCE_MS,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            type: response.headers['content-type'] ?? '',
            retryAfter: response.headers['retry-after'],
            text: Buffer.concat(chunks).toString(),
          }),
        );
      },
    );
    sent.on('timeout', () => sent.destroy(new Error('no answer')));
    sent.on('error', reject);
    sent.end(body);
  });
}

/** That an answer is as `openapi.json` and the registry of errors say. */
function check({ route, path, headers }: HttpRequest, { status, type, retryAfter, text }: Answer): void {
  if (status >= 400) {
    assert.equal(type, PROBLEM_CONTENT_TYPE, `${status}: ${text}`);
    const { code, status: said } = problemSchema.parse(JSON.parse(text));
    assert.equal(errorRegistry[code as ErrorCode]?.status, status, code);
    assert.equal(said, status);
    assert.notEqual(code, 'INTERNAL', text);
    assert.notEqual(code, 'WORKER_FAILED', text);
    assert.equal(retryAfter !== undefined, status === 429 || status === 503);
  }
  // Any representation at all is known to this client (RFC 9110, section 13.1.2).
  if (status === 304 && headers['if-none-match']?.includes('*')) return;
  // A segment that was made up may make another path of it.
  if (path.split('?')[0]?.split('/').length !== route.path.split('/').length || status === 405) return;
  assert.ok(
    String(status) in (paths[route.path]?.[route.method]?.responses ?? {}),
    `${status} is not described: ${text}`,
  );
  const noun = route.answers[status];
  if (typeof noun === 'string' && type.startsWith('application/json')) nouns[noun]?.parse(JSON.parse(text));
}

describe('hostile HTTP requests', function () {
  this.timeout(600_000);
  let agent: RealAgent;
  let router: Router;
  const http = new Agent({ keepAlive: true });

  before(async () => {
    agent = await RealAgent.start({ sessions: { minIdle: 1, maxPerPod: 6, limits: { executionSeconds: 10 } } });
    const endpoint = { pod: 'default-0', pool: 'default', url: agent.url, token: TOKEN };
    router = await startRouter({ listen: { host: '127.0.0.1', port: 0 }, auth: { mode: 'none' }, agents: [endpoint] });
    await until(async () => (await fetch(`http://127.0.0.1:${router.port}/readyz`)).status === 200);
  });
  after(async () => {
    http.destroy();
    await router?.close();
    await agent?.close();
  });

  for (const part of ['agent', 'router'] as const) {
    it(`have answers of the registry and the schema, ${rounds} of them at the ${part} (SEED=${seed})`, async () => {
      const base = part === 'agent' ? agent.url : `http://127.0.0.1:${router.port}`;
      const { authorization = '' } = agent.headers;
      const session = await agent.session({ labels: { kept: 'yes' }, keepSnapshots: 3 });
      await agent.run(session.id, 'x = 1', { id: 'e1' });
      await agent.fetch(`/v1/sessions/${session.id}/files/f/x.txt`, { method: 'PUT', body: 'text' });
      const seen = new Set<number>();
      let asked = 0;
      await fc.assert(
        fc.asyncProperty(requests({ session: session.id, execution: 'e1' }), async (made) => {
          const headers = { ...made.headers, ...(part === 'agent' && { authorization }) };
          const answer = await send(base, { ...made, headers }, http);
          seen.add(answer.status);
          check(made, answer);
          asked += 1;
          if (asked % 50 === 0) await deleteOthers(agent, session.id);
        }),
        { numRuns: rounds, seed, endOnFailure: true },
      );
      await deleteOthers(agent, '');
      // Else it was refused at the door.
      if (rounds >= 700) for (const status of [200, 201, 400, 404, 415]) assert.ok(seen.has(status), `${[...seen]}`);
      assert.equal((await fetch(`${base}/healthz`)).status, 200);
    });
  }
});

async function deleteOthers(agent: RealAgent, kept: string): Promise<void> {
  const { items } = (await (await agent.fetch('/v1/sessions?limit=1000')).json()) as { items: { id: string }[] };
  for (const { id } of items) if (id !== kept) await agent.fetch(`/v1/sessions/${id}`, { method: 'DELETE' });
}
