import { parse, routerConfigSchema, routerUpdateSchema } from '@replpool/protocol';
import { type ProcessInput, readProcessInput } from '@replpool/service';
import { pino } from 'pino';
import { type Router, startRouter } from './router.ts';

const log = pino({ name: 'router', level: process.env.REPLPOOL_LOG_LEVEL ?? 'info' }, pino.destination(2));

try {
  const input = await readProcessInput();
  const config = parse(routerConfigSchema, input.config, 'config');
  const say = (event: object) => process.stdout.write(`${JSON.stringify(event)}\n`);
  const router = await startRouter(config, log, (pod) => say({ event: 'agent_ready', pod }));
  endBySignal(router);
  followParent(router, input);
  say({ event: 'listening', port: router.port, healthPort: router.healthPort });
} catch (err) {
  log.fatal({ err }, 'the router did not start');
  // Not by the exit code alone: the parent still holds stdin open.
  process.exit(1);
}

function endBySignal(router: Router): void {
  const end = (): void => shutDown(router);
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
}

/** Further lines of the parent are the agents that there are. */
function followParent(router: Router, input: ProcessInput): void {
  input.follow({
    line: (line) => {
      try {
        router.setAgents(parse(routerUpdateSchema, JSON.parse(line), 'stdin').agents);
      } catch (err) {
        log.error({ err }, 'a line on stdin was not a list of agents');
      }
    },
    end: () => shutDown(router),
  });
}

function shutDown(router: Router): void {
  router.close().then(
    () => process.exit(0),
    (err: unknown) => {
      log.error({ err }, 'the router did not end well');
      process.exit(1);
    },
  );
}
