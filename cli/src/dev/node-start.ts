import type { Start } from './supervisor.ts';

/** Starts a main file with this process's Node.js: sources need the condition under which packages resolve to sources. */
export function nodeStart(
  main: string,
  args: readonly string[],
  config: Record<string, string>,
  options: readonly string[] = [],
): Start {
  return {
    command: process.execPath,
    args: [...options, ...(main.endsWith('.ts') ? ['--conditions=source'] : []), main, ...args],
    env: { ...process.env, ...config },
  };
}
