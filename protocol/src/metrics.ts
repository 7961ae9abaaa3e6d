/** A metric's name, help text, kind and labels. */
export interface MetricDefinition {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly string[];
}

/** Every metric of ReplPool (seconds and bytes; labels are bounded, never a session id). */
export const metrics = {
  sessions: {
    name: 'replpool_sessions',
    help: 'Sessions by pool and state.',
    type: 'gauge',
    labels: ['pool', 'state'],
  },
  sessionCreateSeconds: {
    name: 'replpool_session_create_seconds',
    help: 'Time to create a session, by whether a warm fork was there.',
    type: 'histogram',
    labels: ['pool', 'warm'],
  },
  poolHitsTotal: {
    name: 'replpool_pool_hits_total',
    help: 'Sessions that found a warm fork.',
    type: 'counter',
    labels: ['pool'],
  },
  poolMissesTotal: {
    name: 'replpool_pool_misses_total',
    help: 'Sessions that had to wait for a fork.',
    type: 'counter',
    labels: ['pool'],
  },
  executionSeconds: {
    name: 'replpool_execution_seconds',
    help: 'Time that executions ran, by status.',
    type: 'histogram',
    labels: ['pool', 'status'],
  },
  executionsTotal: {
    name: 'replpool_executions_total',
    help: 'Executions that ended, by status.',
    type: 'counter',
    labels: ['pool', 'status'],
  },
  outputBytesTotal: {
    name: 'replpool_output_bytes_total',
    help: 'Bytes that executions wrote to stdout and stderr.',
    type: 'counter',
    labels: [],
  },
  sessionsLostTotal: {
    name: 'replpool_sessions_lost_total',
    help: 'Sessions lost, by reason.',
    type: 'counter',
    labels: ['pool', 'reason'],
  },
  sessionsMovedTotal: {
    name: 'replpool_sessions_moved_total',
    help: 'Sessions moved to another agent, by outcome.',
    type: 'counter',
    labels: ['pool', 'outcome'],
  },
  checkpointSeconds: {
    name: 'replpool_checkpoint_seconds',
    help: 'Time to write a checkpoint.',
    type: 'histogram',
    labels: [],
  },
  checkpointBytes: {
    name: 'replpool_checkpoint_bytes',
    help: 'Bytes that a checkpoint added to the store.',
    type: 'histogram',
    labels: [],
  },
  rollbacksTotal: {
    name: 'replpool_rollbacks_total',
    help: 'Executions rolled back, by kind of snapshot.',
    type: 'counter',
    labels: ['pool', 'snapshot'],
  },
  limitHitsTotal: {
    name: 'replpool_limit_hits_total',
    help: 'Times that a session reached one of its limits.',
    type: 'counter',
    labels: ['pool', 'limit'],
  },
  agentUp: {
    name: 'replpool_agent_up',
    help: '1 while the router hears from the agent, else 0.',
    type: 'gauge',
    labels: ['pool', 'pod'],
  },
  routerRequestsTotal: {
    name: 'replpool_router_requests_total',
    help: 'Requests that the router answered, by route and status code.',
    type: 'counter',
    labels: ['route', 'code'],
  },
  routerRequestSeconds: {
    name: 'replpool_router_request_seconds',
    help: 'Time that the router took for a request.',
    type: 'histogram',
    labels: ['route'],
  },
  poolCondition: {
    name: 'replpool_pool_condition',
    help: '1 where the condition of the pool has that status, else 0; told by the operator that leads.',
    type: 'gauge',
    labels: ['pool', 'type', 'status'],
  },
  poolReplicas: {
    name: 'replpool_pool_replicas',
    help: 'Pods of the pool: desired, current, ready and updated; told by the operator that leads.',
    type: 'gauge',
    labels: ['pool', 'state'],
  },
  certificateExpiry: {
    name: 'replpool_certificate_expiration_timestamp_seconds',
    help: 'When a certificate that this process uses expires, in seconds since the epoch.',
    type: 'gauge',
    labels: ['name'],
  },
  watchLastEventSeconds: {
    name: 'replpool_watch_last_event_seconds',
    help: 'Seconds since the last event of a watch.',
    type: 'gauge',
    labels: ['resource'],
  },
  watchRestartsTotal: {
    name: 'replpool_watch_restarts_total',
    help: 'Connections of a watch that ended, by reason.',
    type: 'counter',
    labels: ['resource', 'reason'],
  },
  watchListsTotal: {
    name: 'replpool_watch_lists_total',
    help: 'Whole lists that a watch had to ask for.',
    type: 'counter',
    labels: ['resource'],
  },
} as const satisfies Record<string, MetricDefinition>;
