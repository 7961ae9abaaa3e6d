/** Labels that are public: tests, dashboards and policies select by them. */
export const POOL_LABEL = 'replpool.dev/pool';
export const REVISION_LABEL = 'replpool.dev/revision';
export const COMPONENT_LABEL = 'app.kubernetes.io/component';

const APP = { 'app.kubernetes.io/name': 'replpool' };

/** What selects the agents of one pool in its namespace; it never changes while they live. */
export function agentSelector(pool: string): Record<string, string> {
  return { ...APP, [COMPONENT_LABEL]: 'agent', [POOL_LABEL]: pool };
}

/** What selects the routers and operators of a release. */
export function componentSelector(component: 'router' | 'operator'): Record<string, string> {
  return { ...APP, [COMPONENT_LABEL]: component };
}

/** On every object that the operator makes for a pool. */
export function objectLabels(pool: string): Record<string, string> {
  return { ...agentSelector(pool), 'app.kubernetes.io/managed-by': 'replpool-operator' };
}
