import { fileURLToPath } from 'node:url';

export { type AgentEvents, type RunningAgent, startAgent } from './agent.ts';

/** The program that runs one agent, for who starts it as a process of its own. */
export const agentMain: string = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './main.ts' : './main.js', import.meta.url),
);

/**
 * Node.js options to start it with. V8 lets the young generation grow with the rate of garbage: measured over 20,000 executions, the agent's
 * resident size grew by 110 MB with a live heap that grew by 12; with 8 MiB semi-spaces by 22 MB. It has to be set before V8 starts.
 */
export const agentNodeOptions: readonly string[] = ['--max-semi-space-size=8'];
