import { agentConfigSchema, parse } from '@replpool/protocol';
import { readProcessInput } from '@replpool/service';
import { destination, pino } from 'pino';
import { startAgent } from './agent.ts';

/** Seconds until the process ends although something hangs; the launcher's pipe then ends what is left. */
const SHUTDOWN_SECONDS = 10;

const input = await readProcessInput();
const config = parse(agentConfigSchema, input.config, 'config');
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
input.follow({ end: stop });
