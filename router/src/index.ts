import { fileURLToPath } from 'node:url';

export { type Router, type RouterOptions, startRouter } from './router.ts';

/** The main file of a router as a process of its own; its configuration is the file of `--config`, or the first line of its stdin. */
export const routerMain: string = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './main.ts' : './main.js', import.meta.url),
);
