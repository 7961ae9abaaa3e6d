import { expectOutcome } from '../client/message.ts';
import type { BenchSession } from '../client/session.ts';
import type { Figure } from '../report/figure.ts';
import type { Context, Measure } from './measure.ts';
import { repeat, timed } from './repeat.ts';
import { withSession } from './with-client.ts';

const sizes = { full: { warmup: 50, runs: 300 }, smoke: { warmup: 3, runs: 10 } };
const keepSnapshots = 10;

/** Something that is done over and over, over HTTP. @returns ms of it */
type Once = () => Promise<number>;

function plain(session: BenchSession): Once {
  return () => timed(async () => expectOutcome(await session.execute('1+1'), '2'));
}

/** One execution in a transaction. */
function inTransaction(session: BenchSession, code: string, expected: 'committed' | 'rolled_back'): Once {
  return async () => {
    const sentAt = performance.now();
    const { transaction } = await session.execute(code, 'rollback_on_failure');
    const ms = performance.now() - sentAt;
    if (transaction?.outcome === expected && transaction.snapshot === 'fork') return ms;
    throw new Error(`a transaction was ${transaction?.outcome} by ${transaction?.snapshot}, not ${expected} by a fork`);
  };
}

/** The undoing of an execution, without this itself. */
function undo(session: BenchSession): Once {
  return async () => {
    expectOutcome(await session.execute('n = 1'));
    const ms = await timed(() => session.undo(1));
    // An execution too, of which the next undo is not.
    expectOutcome(await session.execute('"n" in globals()'), 'False');
    return ms;
  };
}

async function run(context: Context): Promise<Figure[]> {
  const { warmup, runs } = sizes[context.size];
  const figure = async (name: string, once: Once): Promise<Figure> => {
    await repeat(warmup, once);
    return { name, unit: 'ms', samples: await repeat(runs, once), warmup: `${warmup} times` };
  };
  const withoutUndo = await withSession(context, async (session) => [
    await figure('1+1, no transaction', plain(session)),
    await figure('1+1, rollback_on_failure, kept', inTransaction(session, '1+1', 'committed')),
    await figure('1/0, rollback_on_failure, rolled back', inTransaction(session, '1/0', 'rolled_back')),
  ]);
  const kept = `keepSnapshots ${keepSnapshots}`;
  const withUndo = await withSession(
    context,
    async (session) => [
      await figure(`1+1, ${kept}`, plain(session)),
      await figure(`undo of one execution, ${kept}`, undo(session)),
    ],
    { keepSnapshots },
  );
  return [...withoutUndo, ...withUndo];
}

export const transactions: Measure = {
  name: 'transactions',
  about:
    'one execution over HTTP: as it is, with rollback_on_failure, kept and rolled back, and with snapshots for undo; undo',
  run,
};
