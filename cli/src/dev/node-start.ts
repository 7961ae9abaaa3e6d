import type { Start } from './supervisor.ts';

/** Starts a main file with this process's Node.js: sources need the condition under which packages resolve to sources. */
export function nodeStart(
  main: string,
  args: readonly string[],
  config: object,
  options: readonly string[] = [],
): Start {
  return {
    command: process.execPath,
    args: [...options, ...(main.endsWith('.ts') ? ['--conditions=source'] : []), main, ...args],
    firstLine: JSON.stringify(config),
  };
}
