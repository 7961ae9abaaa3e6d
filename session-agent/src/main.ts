import { agentConfigSchema, parse } from '@replpool/protocol';
import { type ProcessInput, readProcessInput } from '@replpool/service';
import { destination, pino } from 'pino';
import { type RunningAgent, startAgent } from './agent.ts';

/** Seconds until the process ends although something hangs; the launcher's pipe then ends what is left. */
const SHUTDOWN_SECONDS = 10;

let agent: RunningAgent | undefined;
let draining = false;
let stopping = false;
// Before all else: as the first process of a container it would otherwise not even be ended by a signal.
process.on('SIGTERM', drain);
process.on('SIGINT', stop);

const input = await readProcessInput();
const config = parse(agentConfigSchema, withPod(input), 'config');
const log = pino({ name: 'session-agent', base: { pod: config.pod } }, destination(2));
const announce = (line: Record<string, unknown>) => process.stdout.write(`${JSON.stringify(line)}\n`);

agent = await startAgent(config, log, {
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
announce({ event: 'listening', port: agent.port, healthPort: agent.healthPort });
input.follow({ end: stop });

/** All pods of a pool share one file, in which the pod's name cannot stand. */
function withPod({ config, pod }: ProcessInput): unknown {
  return pod === undefined || typeof config !== 'object' ? config : { ...config, pod };
}

/** Ends when its sessions have, or at the pool's deadline. Told a second time: at once. */
function drain(): void {
  if (draining || agent === undefined) {
    stop();
    return;
  }
  draining = true;
  log.info({ drainSeconds: config.spec.update.drainSeconds }, 'draining');
  agent.drain().then(stop, stop);
}

/** Ends all sessions, with the reason `drain`, and then itself. */
function stop(): void {
  if (stopping) return;
  stopping = true;
  if (agent === undefined) process.exit(0);
  setTimeout(() => process.exit(1), SHUTDOWN_SECONDS * 1000).unref();
  agent.close().then(
    () => process.exit(0),
    (error: unknown) => {
      log.error({ err: error }, 'shutdown failed');
      process.exit(1);
    },
  );
}
