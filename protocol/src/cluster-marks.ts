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

/** On a pod of a pool: its agent admits no new session, and the pod goes when it is empty, or at this time (RFC 3339). Anybody may set it. */
export const DRAIN_UNTIL_ANNOTATION = 'replpool.dev/drain-until';
