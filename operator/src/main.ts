import { KubeConfig } from '@kubernetes/client-node';
import { parse } from '@replpool/protocol';
import { readProcessInput, serveHealth, withPodName } from '@replpool/service';
import { destination, pino } from 'pino';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { operatorConfigSchema } from './config.ts';
import { runOperator } from './operator.ts';

const log = pino({ name: 'operator', level: process.env.REPLPOOL_LOG_LEVEL ?? 'info' }, destination(2));

try {
  const input = await readProcessInput();
  const config = parse(operatorConfigSchema, withPodName(input, 'instance'), 'config');
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromDefault();
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const stopped = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stopped.abort());
  input.follow({ end: () => stopped.abort() });
  await using _health = await serveHealth(config.health, {
    // One that waits for its turn to lead is ready too.
    notReady: () => undefined,
    metrics: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  });
  await runOperator(kubeConfig, config, log, registry, stopped.signal);
} catch (err) {
  log.fatal({ err }, 'the operator ended');
  process.exitCode = 1;
}
// A parent's pipe on stdin would keep it alive.
process.exit();
