/** Labels and annotations by which the parts of ReplPool know each other's objects in a cluster. Dashboards and policies select by them too. */
export const APP_LABEL = 'app.kubernetes.io/name';
export const APP_NAME = 'replpool';
/** The release of operator and routers. */
export const RELEASE_LABEL = 'app.kubernetes.io/instance';
export const COMPONENT_LABEL = 'app.kubernetes.io/component';
export type Component = 'agent' | 'router' | 'operator';

export const POOL_LABEL = 'replpool.dev/pool';
/** What a pod was made from: ten hexadecimal digits. */
export const REVISION_LABEL = 'replpool.dev/revision';

/** The container of a pod in which its agent runs, and where the agent listens. */
export const AGENT_CONTAINER = 'agent';
export const AGENT_PORT = 8080;

/** Where an agent is found by the address of its pod. */
export function agentUrl(podIP: string): string {
  return `https://${podIP.includes(':') ? `[${podIP}]` : podIP}:${AGENT_PORT}`;
}

/** On a pod of a pool: its agent admits no new session, and the pod goes when it is empty, or at this time (RFC 3339). Anybody may set it. */
export const DRAIN_UNTIL_ANNOTATION = 'replpool.dev/drain-until';

/**
 * When the drain of a pod ends, in milliseconds since the epoch; undefined where the pod does not drain. Anybody may have written it: the time
 * of one that is no time is over, for nothing says how long it would be.
 */
export function drainsUntil(annotations: Readonly<Record<string, string>> | undefined): number | undefined {
  const text = annotations?.[DRAIN_UNTIL_ANNOTATION];
  if (text === undefined) return undefined;
  const at = Date.parse(text);
  return Number.isNaN(at) ? 0 : at;
}

/** What begins with it is ReplPool's own to set. */
export const OWN_MARKS = 'replpool.dev/';
