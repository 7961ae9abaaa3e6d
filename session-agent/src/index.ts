import { fileURLToPath } from 'node:url';

export { type AgentEvents, type RunningAgent, startAgent } from './agent.ts';

/** The program that runs one agent, for who starts it as a process of its own. */
export const agentMain: string = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './main.ts' : './main.js', import.meta.url),
);

/** Node.js options to start it with: `docs/decisions/0007-bounded-young-generation.md`. They have to be set before V8 starts. */
export const agentNodeOptions: readonly string[] = ['--max-semi-space-size=8', '--heap-growing-percent=30'];
