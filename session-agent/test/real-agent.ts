import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ReplPoolSpecInput, replPoolSpecSchema } from '@replpool/protocol';
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

  private constructor(agent: RunningAgent, runDirectory: string, lost: Promise<Error>) {
    super(`http://127.0.0.1:${agent.port}`);
    this.#agent = agent;
    this.runDirectory = runDirectory;
    this.lost = lost;
  }

  /** Resolves when the zygote is warm. */
  static async start(spec: ReplPoolSpecInput = {}): Promise<RealAgent> {
    const runDirectory = join(mkdtempSync(join(tmpdir(), 'replpool-')), 'run');
    const ready = Promise.withResolvers<void>();
    const lost = Promise.withResolvers<Error>();
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
      { ready: ready.resolve, failed: (message) => ready.reject(new Error(message)), lost: lost.resolve },
    );
    await ready.promise.catch(async (error: unknown) => {
      await agent.close();
      throw error;
    });
    return new RealAgent(agent, runDirectory, lost.promise);
  }

  close(): Promise<void> {
    return this.#agent.close();
  }
}
