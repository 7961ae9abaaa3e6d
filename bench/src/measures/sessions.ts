import { HttpClient } from '../client/http-client.ts';
import { expectOutcome } from '../client/message.ts';
import { type BenchSession, createSessions } from '../client/session.ts';
import type { Figure } from '../report/figure.ts';
import { predecessors } from '../report/floor.ts';
import { space } from '../service/warm-forks.ts';
import type { Context, Measure } from './measure.ts';
import { repeat, timed } from './repeat.ts';
import { proportionalMegabytes } from './smaps.ts';

const count = 100;
const sizes = { full: { repeats: 3 }, smoke: { repeats: 1 } };

interface Fleet {
  readonly createMs: number;
  readonly runMs: number;
  /** Of each session; empty where it cannot be read. */
  readonly megabytes: number[];
}

/** Sessions of one affinityKey are placed on one agent while it has room. */
async function fleet(http: HttpClient, affinityKey: string): Promise<Fleet> {
  await using scope = new AsyncDisposableStack();
  const askedAt = performance.now();
  const sessions = await createSessions(http, scope, count, { affinityKey });
  const createMs = performance.now() - askedAt;
  const pods = new Set(sessions.map(({ pod }) => pod));
  if (pods.size !== 1) throw new Error(`the sessions are on ${[...pods].join(' and ')}, not on one agent`);

  const run = (session: BenchSession, n: number) => session.execute(`n = ${n}\nimport os\nos.getpid()`);
  const pids: number[] = [];
  const runMs = await timed(() =>
    Promise.all(
      sessions.map(async (session, n) => {
        const outcome = await run(session, n);
        expectOutcome(outcome);
        pids.push(Number(outcome.result));
      }),
    ),
  );
  if (new Set(pids).size !== count) throw new Error(`${count} sessions have ${new Set(pids).size} processes`);
  // Each still has its own namespace.
  await Promise.all(sessions.map(async (session, n) => expectOutcome(await session.execute('n'), String(n))));
  const megabytes = await Promise.all(pids.map(proportionalMegabytes));
  return { createMs, runMs, megabytes: megabytes.filter((each) => each !== undefined) };
}

async function run({ service, signal, size }: Context): Promise<Figure[]> {
  const { repeats } = sizes[size];
  await using http = new HttpClient(service.url, signal);
  const fleets = await repeat(repeats, async (n) => {
    // Routers hear a little later that the last fleet's room is free again, and would spread this one.
    await space(signal);
    return await fleet(http, `fleet-${n}`);
  });
  const megabytes = fleets.flatMap((each) => each.megabytes);
  const answering: Figure = {
    ...{ name: 'sessions on one agent, all answer', unit: 'sessions', samples: fleets.map(() => count) },
    floor: predecessors.sessionsOnOneAgent,
    ...(megabytes.length === 0 && { note: 'the memory of sessions cannot be read here' }),
  };
  const memory: Figure = { name: 'memory per idle session (PSS)', unit: 'MB', samples: megabytes };
  return [
    answering,
    {
      name: `${count} creates at once on one agent, to the last`,
      unit: 'ms',
      samples: fleets.map((it) => it.createMs),
    },
    { name: `code on ${count} sessions at once, to the last`, unit: 'ms', samples: fleets.map((it) => it.runMs) },
    ...(megabytes.length > 0 ? [memory] : []),
  ];
}

export const sessionsOnOneAgent: Measure = {
  name: 'sessions',
  about: `${count} sessions on one agent, code on all, and their memory`,
  run,
};
