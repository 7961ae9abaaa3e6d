import { INTERNAL_METRICS_PATH } from '@replpool/protocol';
import type { Logger } from 'pino';
import type { MetricObjectWithValues, MetricValue } from 'prom-client';
import type { Agent } from './agent.ts';
import { askAgent } from './ask-agent.ts';

const TIMEOUT_MS = 2_000;

/** Metrics as prom-client writes them into JSON and adds them up. */
export type MetricsJson = MetricObjectWithValues<MetricValue<string>>[];

/** What one agent counts; nothing where it does not answer, which `replpool_agent_up` says. */
export async function agentMetrics(agent: Agent, log: Logger): Promise<MetricsJson> {
  if (!agent.up) return [];
  try {
    const { status, body } = await askAgent(agent, INTERNAL_METRICS_PATH, undefined, AbortSignal.timeout(TIMEOUT_MS));
    if (status !== 200) throw new Error(`the agent answered ${status}`);
    return body as MetricsJson;
  } catch (err) {
    log.warn({ err, pod: agent.pod }, 'an agent gave no metrics');
    return [];
  }
}
