import type { TransactionPolicy } from '@replpool/protocol';
import fc from 'fast-check';
import type { Statement } from './statements.ts';

/** How a piece of code ends once its statements have run. */
export const endings = {
  none: '',
  raise: 'raise ValueError("no")',
  exit: 'sys.exit(3)',
  interrupt: 'raise KeyboardInterrupt',
  _exit: 'os._exit(3)',
  kill: 'os.kill(os.getpid(), 9)',
  segfault: '__import__("ctypes").string_at(0)',
  hang: '',
} as const;

interface Code {
  readonly policy: TransactionPolicy | 'none';
  readonly statements: readonly Statement[];
}

export type Step =
  /** `followed`: the question that reads the state is queued behind it, and does not wait for its end. */
  | (Code & {
      readonly do: 'run';
      readonly ending: keyof typeof endings;
      readonly followed: boolean;
      /** The state is not read behind it where it stands, for that is an execution too. */
      readonly quiet: boolean;
    })
  /** The worker is killed from outside, `afterMs` after the code was sent, or once it hangs. */
  | (Code & { readonly do: 'killRunning'; readonly afterMs: number | undefined })
  | { readonly do: 'killIdle' }
  | { readonly do: 'undo'; readonly executions: number }
  | { readonly do: 'commit' }
  | { readonly do: 'rollback' }
  | { readonly do: 'restart' };

/**
 * Programs, mostly of transactions; shorter and plainer ones first where they are shrunk.
 * @param undoes up to so many executions at once; 0: they undo nothing
 */
export function programs(statement: fc.Arbitrary<Statement>, undoes = 0): fc.Arbitrary<Step[]> {
  const policy = fc.oneof(
    { weight: 2, arbitrary: fc.constant('none' as const) },
    { weight: 1, arbitrary: fc.constant('commit_always' as const) },
    { weight: 3, arbitrary: fc.constant('rollback_on_failure' as const) },
    { weight: 3, arbitrary: fc.constant('commit_on_success' as const) },
    { weight: 3, arbitrary: fc.constant('explicit' as const) },
  );
  const ending = fc.oneof(
    { weight: 12, arbitrary: fc.constant('none' as const) },
    { weight: 6, arbitrary: fc.constantFrom('raise', 'exit', 'interrupt') },
    { weight: 4, arbitrary: fc.constantFrom('_exit', 'kill', 'segfault') },
  ) as fc.Arbitrary<Exclude<keyof typeof endings, 'hang'>>;
  const code = { policy, statements: fc.array(statement, { minLength: 1, maxLength: 6 }) };
  const quiet = undoes > 0 ? fc.boolean() : fc.constant(false);
  const executions = fc.integer({ min: 1, max: Math.max(1, undoes) });
  return fc.array(
    fc.oneof(
      {
        weight: 60,
        arbitrary: fc.record({ do: fc.constant('run' as const), ...code, ending, followed: fc.boolean(), quiet }),
      },
      {
        weight: 1,
        arbitrary: fc.record({
          do: fc.constant('run' as const),
          ...code,
          ending: fc.constant('hang' as const),
          followed: fc.boolean(),
          quiet,
        }),
      },
      {
        weight: 4,
        arbitrary: fc.record({
          do: fc.constant('killRunning' as const),
          ...code,
          afterMs: fc.option(fc.nat(25), { nil: undefined }),
        }),
      },
      { weight: undoes > 0 ? 6 : 2, arbitrary: fc.constant({ do: 'killIdle' as const }) },
      { weight: undoes > 0 ? 30 : 0, arbitrary: fc.record({ do: fc.constant('undo' as const), executions }) },
      { weight: 14, arbitrary: fc.constantFrom({ do: 'commit' as const }, { do: 'rollback' as const }) },
      { weight: 1, arbitrary: fc.constant({ do: 'restart' as const }) },
    ),
    { minLength: 1, maxLength: 14 },
  );
}
