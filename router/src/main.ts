import { fstatSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { parse, routerConfigSchema, routerUpdateSchema } from '@replpool/protocol';
import { pino } from 'pino';
import { type Router, startRouter } from './router.ts';

const log = pino({ name: 'router', level: process.env.REPLPOOL_LOG_LEVEL ?? 'info' }, pino.destination(2));

try {
  const { REPLPOOL_ROUTER_CONFIG: text } = process.env;
  if (text === undefined) throw new Error('REPLPOOL_ROUTER_CONFIG is not set: it has the configuration as JSON');
  const config = parse(routerConfigSchema, JSON.parse(text), 'REPLPOOL_ROUTER_CONFIG');
  const say = (event: object) => process.stdout.write(`${JSON.stringify(event)}\n`);
  const router = await startRouter(config, log, (pod) => say({ event: 'agent_ready', pod }));
  endBySignal(router);
  followStdin(router);
  say({ event: 'listening', port: router.port });
} catch (err) {
  log.fatal({ err }, 'the router did not start');
  process.exitCode = 1;
}

function endBySignal(router: Router): void {
  const end = (): void => shutDown(router);
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
}

/** Lines on stdin are the agents that there are. Its end is the parent's: a pipe only, for services have /dev/null. */
function followStdin(router: Router): void {
  const stat = fstatSync(0);
  if (!stat.isFIFO() && !stat.isSocket()) return;
  const lines = createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY });
  lines.on('line', (line) => {
    if (line.trim() === '') return;
    try {
      router.setAgents(parse(routerUpdateSchema, JSON.parse(line), 'stdin').agents);
    } catch (err) {
      log.error({ err }, 'a line on stdin was not a list of agents');
    }
  });
  lines.on('close', () => shutDown(router));
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
