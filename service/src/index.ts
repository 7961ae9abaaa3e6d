export { type Backoff, backoffMs } from './backoff.ts';
export { announcedTooLarge, BODY_LIMIT, bodyTooLarge, readBytes, readJson } from './json-body.ts';
export { findPool, isPool, resolvePool, summarizePools } from './pools.ts';
export { refuseUpgrade, sendProblem, toReplPoolError } from './problem.ts';
export { type ProcessInput, readProcessInput } from './process-input.ts';
export { notServed, pathOf } from './request-path.ts';
export { pageOf } from './session-page.ts';
