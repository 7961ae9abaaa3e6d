import { appendFileSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

const longest = 1_000;

/** `$XDG_STATE_HOME/replpool/history`, by default under `~/.local/state`: where the XDG directory specification puts histories. */
export function historyFile(env: NodeJS.ProcessEnv): string {
  return join(env.XDG_STATE_HOME || join(env.HOME || homedir(), '.local', 'state'), 'replpool', 'history');
}

/** Newest first, each line once. No history is no reason to have no prompt, so errors count as none. */
export function loadHistory(file: string): string[] {
  let lines: string[];
  try {
    lines = readFileSync(file, 'utf8').split('\n');
  } catch {
    return [];
  }
  const history = [...new Set(lines.filter((line) => line !== '').toReversed())].slice(0, longest);
  if (lines.length > 2 * longest) shorten(file, history);
  return history;
}

/** Line by line at once, so that a prompt that is killed loses none, and two that are open keep both. */
export function appendHistory(file: string, line: string): void {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    appendFileSync(file, `${line}\n`, { mode: 0o600 });
  } catch {
    // see loadHistory
  }
}

function shorten(file: string, newestFirst: readonly string[]): void {
  try {
    const temporary = `${file}.${process.pid}`;
    writeFileSync(temporary, `${newestFirst.toReversed().join('\n')}\n`, { mode: 0o600 });
    renameSync(temporary, file);
  } catch {
    // see loadHistory
  }
}
