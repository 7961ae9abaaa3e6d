import { fstatSync } from 'node:fs';
import { agentConfigSchema } from '@replpool/protocol';
import { destination, pino } from 'pino';
import { startAgent } from './agent.ts';

/** Seconds until the process ends although something hangs; the launcher's pipe then ends what is left. */
const SHUTDOWN_SECONDS = 10;

const config = agentConfigSchema.parse(JSON.parse(process.env.REPLPOOL_AGENT_CONFIG ?? '{}'));
const log = pino({ name: 'session-agent', base: { pod: config.pod } }, destination(2));
const announce = (line: Record<string, unknown>) => process.stdout.write(`${JSON.stringify(line)}\n`);

const agent = await startAgent(config, log, {
  ready: () => announce({ event: 'ready' }),
  failed: (message) => announce({ event: 'failed', message }),
  lost: (error) => {
    log.fatal({ err: error }, 'the launcher is gone, and every session with it');
    process.exit(1);
  },
}).catch((error: unknown) => {
  announce({ event: 'failed', message: error instanceof Error ? error.message : String(error) });
  process.exit(1);
});
announce({ event: 'listening', port: agent.port });

let stopping = false;
function stop(): void {
  if (stopping) return;
  stopping = true;
  setTimeout(() => process.exit(1), SHUTDOWN_SECONDS * 1000).unref();
  agent.close().then(
    () => process.exit(0),
    (error: unknown) => {
      log.error({ err: error }, 'shutdown failed');
      process.exit(1);
    },
  );
}
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
// A parent holds the other end: when it goes, however it goes, so do we. In a container stdin is /dev/null and says nothing.
const stdin = fstatSync(0);
if (stdin.isFIFO() || stdin.isSocket()) process.stdin.on('end', stop).on('error', stop).resume();
