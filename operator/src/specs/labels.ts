import { APP_LABEL, APP_NAME, COMPONENT_LABEL, POOL_LABEL } from '@replpool/protocol';

export { COMPONENT_LABEL, POOL_LABEL, REVISION_LABEL } from '@replpool/protocol';

const APP = { [APP_LABEL]: APP_NAME };

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

/** On what the operator makes for its release. */
export function releaseLabels(release: string, component: 'router' | 'operator'): Record<string, string> {
  const instance = { 'app.kubernetes.io/instance': release, 'app.kubernetes.io/managed-by': 'replpool-operator' };
  return { ...componentSelector(component), ...instance };
}
