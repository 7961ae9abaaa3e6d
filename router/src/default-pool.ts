import type { RouterConfig } from '@replpool/protocol';

/**
 * What a request without a pool means; undefined: the only one that is open to the caller. The first one is nobody's choice in a cluster, where
 * each tenant names their own.
 * @param listed the pools that there are, in their order
 */
export function defaultPoolOf(
  { defaultPool, discovery }: Pick<RouterConfig, 'defaultPool' | 'discovery'>,
  listed: readonly { readonly pool: string }[],
): string | undefined {
  return defaultPool ?? (discovery === undefined ? listed[0]?.pool : undefined);
}
