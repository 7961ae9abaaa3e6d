/** A line that is the prompt's and not Python's. */
export type Command =
  | { readonly name: 'begin' | 'commit' | 'rollback' | 'help' }
  | { readonly name: 'undo' | 'fork'; readonly count: number }
  /** One with what it does not take. */
  | { readonly name: 'misused'; readonly usage: string };

/** What each is written like, and does. */
const COMMANDS = {
  begin: ['%begin', 'what follows is in a transaction'],
  commit: ['%commit', 'ends it, and keeps what it changed'],
  rollback: ['%rollback', 'ends it, and undoes what it changed'],
  undo: ['%undo [N]', 'goes back to before the last N statements, or the last one'],
  fork: ['%fork [N]', 'makes N live copies of the session, or one, and prints their ids'],
  help: ['%help', 'shows this'],
} as const;

export const HELP = `${Object.values(COMMANDS)
  .map(([usage, does]) => `${usage.padEnd(12)}${does}`)
  .join('\n')}
So many statements can be undone as replpool repl --keep-snapshots says, or the pool.
A copy outlives the prompt: replpool repl --session ID is one on it. All other lines are Python.
`;

const line = /^%(?<name>\w+)(?:[ \t]+(?<argument>.+))?$/;

/** What the statement is where it is no Python; undefined for Python, and for what may be meant as such. */
export function commandOf(statement: string): Command | undefined {
  const { name = '', argument } = line.exec(statement.trimEnd())?.groups ?? {};
  if (!Object.hasOwn(COMMANDS, name)) return undefined;
  const known = name as keyof typeof COMMANDS;
  const misused: Command = { name: 'misused', usage: COMMANDS[known][0] };
  if (known === 'undo' || known === 'fork') {
    const count = argument ?? '1';
    return /^[1-9]\d*$/.test(count) ? { name: known, count: Number(count) } : misused;
  }
  return argument !== undefined ? misused : { name: known };
}

/** The commands that begin so. */
export function commandsLike(typed: string): string[] {
  return Object.keys(COMMANDS)
    .map((name) => `%${name}`)
    .filter((command) => command.startsWith(typed));
}
