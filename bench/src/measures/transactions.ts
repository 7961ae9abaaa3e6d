import type { BenchSession } from '../client/session.ts';
import type { Figure } from '../report/figure.ts';
import type { Context, Measure } from './measure.ts';
import { repeat } from './repeat.ts';
import { withSession } from './with-client.ts';

const sizes = { full: { warmup: 50, runs: 300 }, smoke: { warmup: 3, runs: 10 } };

/** One execution in a transaction, over HTTP. @returns ms */
async function once(session: BenchSession, code: string, outcome: 'committed' | 'rolled_back'): Promise<number> {
  const sentAt = performance.now();
  const { transaction } = await session.execute(code, 'rollback_on_failure');
  const ms = performance.now() - sentAt;
  if (transaction?.outcome === outcome && transaction.snapshot === 'fork') return ms;
  throw new Error(`a transaction was ${transaction?.outcome} by ${transaction?.snapshot}, not ${outcome} by a fork`);
}

async function run(context: Context): Promise<Figure[]> {
  const { warmup, runs } = sizes[context.size];
  return await withSession(context, async (session) => {
    const figure = async (name: string, code: string, outcome: 'committed' | 'rolled_back'): Promise<Figure> => {
      await repeat(warmup, () => once(session, code, outcome));
      const samples = await repeat(runs, () => once(session, code, outcome));
      return { name, unit: 'ms', samples, warmup: `${warmup} executions` };
    };
    return [
      await figure('1+1, rollback_on_failure, kept', '1+1', 'committed'),
      await figure('1/0, rollback_on_failure, rolled back', '1/0', 'rolled_back'),
    ];
  });
}

export const transactions: Measure = {
  name: 'transactions',
  about: 'one execution with rollback_on_failure over HTTP, kept and rolled back; beside `1+1, HTTP`',
  run,
};
