import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AgentConfig, type ReplPoolSpecInput, replPoolSpecSchema } from '@replpool/protocol';
import { pino } from 'pino';
import { type RunningAgent, startAgent } from '../src/index.ts';
import { AgentClient, TOKEN } from './agent-client.ts';
import { python } from './python.ts';

/** A real agent with real workers on a free port of the loopback. */
export class RealAgent extends AgentClient {
  readonly runDirectory: string;
  /** Resolves with the reason when the launcher has gone. */
  readonly lost: Promise<Error>;
  readonly #agent: RunningAgent;

  private constructor(agent: RunningAgent, { tls }: Partial<AgentConfig>, runDirectory: string, lost: Promise<Error>) {
    super(`${tls ? 'https' : 'http'}://127.0.0.1:${agent.port}`);
    this.#agent = agent;
    this.runDirectory = runDirectory;
    this.lost = lost;
  }

  /**
   * Resolves when every template is warm.
   * @param known how it is called and who may speak to it
   * @param options.mayFail resolves when one cannot warm up too
   */
  static async start(
    spec: ReplPoolSpecInput = {},
    known: Pick<AgentConfig, 'pool' | 'token' | 'tls' | 'launcher'> = { pool: 'default', token: TOKEN },
    { mayFail = false } = {},
  ): Promise<RealAgent> {
    const runDirectory = join(mkdtempSync(join(tmpdir(), 'replpool-')), 'run');
    const ready = Promise.withResolvers<void>();
    const lost = Promise.withResolvers<Error>();
    const agent = await startAgent(
      {
        ...known,
        pod: 'default-0',
        listen: { host: '127.0.0.1', port: 0 },
        spec: replPoolSpecSchema.parse(spec),
        python: python(),
        runDirectory,
      },
      pino({ level: process.env.TEST_LOG ?? 'silent' }),
      {
        ready: ready.resolve,
        failed: (message) => (mayFail ? ready.resolve() : ready.reject(new Error(message))),
        lost: lost.resolve,
      },
    );
    await ready.promise.catch(async (error: unknown) => {
      await agent.close();
      throw error;
    });
    return new RealAgent(agent, known, runDirectory, lost.promise);
  }

  close(): Promise<void> {
    return this.#agent.close();
  }
}
