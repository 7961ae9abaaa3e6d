import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

const longest = 1_000;

export function historyFile(env: NodeJS.ProcessEnv): string {
  return join(env.XDG_STATE_HOME || join(env.HOME || homedir(), '.local', 'state'), 'replpool', 'history');
}

/** Newest first, as readline keeps it. No history is no reason to have no prompt, so errors count as none. */
export function loadHistory(file: string): string[] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .slice(-longest)
      .reverse();
  } catch {
    return [];
  }
}

export function saveHistory(file: string, newestFirst: readonly string[]): void {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    const temporary = `${file}.${process.pid}`;
    writeFileSync(temporary, `${newestFirst.slice(0, longest).toReversed().join('\n')}\n`, { mode: 0o600 });
    renameSync(temporary, file);
  } catch {
    // see loadHistory
  }
}
