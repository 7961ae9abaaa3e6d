import { inspect } from 'node:util';
import { agentConfigSchema, parse, ReplPoolError, type StartFailure } from '@replpool/protocol';
import { messageOf, readProcessInput, withPodName } from '@replpool/service';
import { destination, pino } from 'pino';
import { type RunningAgent, startAgent } from './agent.ts';

/** Seconds until the process ends although something hangs; the launcher's pipe then ends what is left. */
const SHUTDOWN_SECONDS = 10;

/** The kubelet keeps the last 2,048 bytes of what a container said. */
const LONGEST_MESSAGE = 500;

let agent: RunningAgent | undefined;
let draining = false;
let stopping = false;
// Before all else: as the first process of a container it would otherwise not even be ended by a signal.
process.on('SIGTERM', drain);
process.on('SIGINT', stop);

const announce = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);
const { input, config } = await readConfig().catch(refuse);
const log = pino({ name: 'session-agent', base: { pod: config.pod } }, destination(2));

agent = await startAgent(config, log, {
  ready: () => announce({ event: 'ready' }),
  failed: (message) => announce({ event: 'failed', message }),
  lost: (error) => {
    log.fatal({ err: error }, 'the launcher is gone, and every session with it');
    process.exit(1);
  },
}).catch(refuse);
announce({ event: 'listening', port: agent.port, healthPort: agent.healthPort });
input.follow({ end: stop });

async function readConfig() {
  const read = await readProcessInput();
  return { input: read, config: parse(agentConfigSchema, withPodName(read, 'pod'), 'config') };
}

/** Ends with a last line that says why: in a pod, the operator reads it. */
function refuse(error: unknown): never {
  // What nobody foresaw is looked for by its stack.
  if (!(error instanceof ReplPoolError)) process.stderr.write(`${inspect(error)}\n`);
  const message = messageOf(error).slice(0, LONGEST_MESSAGE);
  const field = error instanceof ReplPoolError ? error.details?.field : undefined;
  announce({ event: 'failed', message, ...(typeof field === 'string' && { field }) } satisfies StartFailure);
  process.exit(1);
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
