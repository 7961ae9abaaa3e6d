export { ApiClient, type Call, type Query } from './api/client.ts';
export { ApiError, classify, type Failure, NoAnswerError } from './api/errors.ts';
export { isRecord, type KubeObject, keyOf, type ObjectMeta, toKubeObject } from './api/object.ts';
export { apiVersionOf, pathOf, type Resource, resources } from './api/resource.ts';
export { apply, create, type Desired, FIELD_MANAGER, type RemoveOptions, remove } from './apply.ts';
export { type Clock, pause, systemClock } from './clock.ts';
export { Collection, type CollectionOptions, type Handlers } from './watch/collection.ts';
export { type Connection, SilentError, watchOnce } from './watch/connection.ts';
export { WatchMetrics } from './watch/watch-metrics.ts';
