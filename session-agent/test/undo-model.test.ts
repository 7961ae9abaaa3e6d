import fc from 'fast-check';
import { ModelledSession } from './modelled-session.ts';
import { programs } from './programs.ts';
import { RealAgent } from './real-agent.ts';
import { Reference } from './reference.ts';
import { setup, statements } from './statements.ts';

const rounds = Number(process.env.FUZZ_ROUNDS ?? 15);
const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);

describe('undo, by a model', function () {
  this.timeout(600_000 + rounds * 20_000);
  let agent: RealAgent;
  let reference: Reference;

  before(async () => {
    agent = await RealAgent.start({ sessions: { minIdle: 2, interruptGraceSeconds: 2 } });
    reference = new Reference();
  });
  after(async () => {
    reference?.[Symbol.dispose]();
    await agent?.close();
  });

  for (const keepSnapshots of [1, 3, 8]) {
    const numRuns = keepSnapshots === 3 ? rounds : Math.ceil(rounds / 3);
    it(`of ${keepSnapshots} executions leaves what a plain interpreter has after those that stand, ${numRuns} programs (SEED=${seed})`, async () => {
      const program = programs(statements(['variable', 'hidden', 'mixed'], false), keepSnapshots + 2);
      await fc.assert(
        fc.asyncProperty(program, async (steps) => {
          const session = await ModelledSession.begin(agent, reference, { kind: 'fork', setup, keepSnapshots });
          try {
            for (const step of steps) await session.take(step);
          } finally {
            await session.end();
          }
        }),
        { numRuns, seed, ...(process.env.FUZZ_PATH && { path: process.env.FUZZ_PATH }) },
      );
    });
  }
});
