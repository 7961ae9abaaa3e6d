import { fileURLToPath } from 'node:url';

export { type Router, startRouter } from './router.ts';

/** The main file of a router as a process of its own; its configuration is JSON in REPLPOOL_ROUTER_CONFIG. */
export const routerMain: string = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './main.ts' : './main.js', import.meta.url),
);
