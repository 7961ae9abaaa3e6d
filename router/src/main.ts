import { parse, routerConfigSchema, routerUpdateSchema } from '@replpool/protocol';
import { readProcessInput } from '@replpool/service';
import { pino } from 'pino';
import { type Router, startRouter } from './router.ts';

const log = pino({ name: 'router', level: process.env.REPLPOOL_LOG_LEVEL ?? 'info' }, pino.destination(2));

let router: Router | undefined;
let draining = false;
// Before all else: as the first process of a container it would otherwise not even be ended by a signal.
process.on('SIGTERM', drain);
process.on('SIGINT', stop);

try {
  const input = await readProcessInput();
  const config = parse(routerConfigSchema, input.config, 'config');
  const say = (event: object) => process.stdout.write(`${JSON.stringify(event)}\n`);
  router = await startRouter(config, { log, agentReady: (pod) => say({ event: 'agent_ready', pod }) });
  input.follow({ line: takeLine, end: stop });
  say({ event: 'listening', port: router.port, healthPort: router.healthPort });
} catch (err) {
  log.fatal({ err }, 'the router did not start');
  // Not by the exit code alone: the parent still holds stdin open.
  process.exit(1);
}

/** Further lines of the parent are the agents that there are. */
function takeLine(line: string): void {
  try {
    router?.setAgents(parse(routerUpdateSchema, JSON.parse(line), 'stdin').agents);
  } catch (err) {
    log.error({ err }, 'a line on stdin was not a list of agents');
  }
}

/** Ends when what is under way has. Told a second time: at once. */
function drain(): void {
  if (draining || router === undefined) {
    stop();
    return;
  }
  draining = true;
  exitAfter(router.drain());
}

function stop(): void {
  if (router === undefined) process.exit(0);
  exitAfter(router.close());
}

function exitAfter(ended: Promise<void>): void {
  ended.then(
    () => process.exit(0),
    (err: unknown) => {
      log.error({ err }, 'the router did not end well');
      process.exit(1);
    },
  );
}
