import type { ApiClient, Query } from '../api/client.ts';
import { classify } from '../api/errors.ts';
import { isRecord } from '../api/object.ts';

/** As client-go's pager. */
const PAGE = 500;
/** A page of 500 large objects from a busy server takes its time. */
const TIMEOUT_MS = 60_000;

export interface Listed {
  readonly items: readonly unknown[];
  /** What a watch goes on from. */
  readonly resourceVersion: string;
}

/** The whole collection as of one moment, page by page. */
export async function list(client: ApiClient, path: string, query: Query, signal: AbortSignal): Promise<Listed> {
  try {
    return await pages(client, path, { ...query, limit: PAGE }, signal);
  } catch (error) {
    // The token of the next page outlived its revision: all at once then, or a slow reader of a busy collection would never come to an end.
    if (classify(error) !== 'Gone') throw error;
    return await pages(client, path, query, signal);
  }
}

async function pages(client: ApiClient, path: string, query: Query, signal: AbortSignal): Promise<Listed> {
  const items: unknown[] = [];
  let next: string | undefined;
  for (;;) {
    const call = { path, query: { ...query, continue: next }, signal, timeoutMs: TIMEOUT_MS };
    const page = pageOf(await client.request(call), path);
    for (const item of page.items) items.push(item);
    if (page.next === '') return { items, resourceVersion: page.resourceVersion };
    next = page.next;
  }
}

interface Page extends Listed {
  /** Empty after the last. */
  readonly next: string;
}

function pageOf(answer: unknown, path: string): Page {
  const { items, metadata } = isRecord(answer) ? answer : {};
  const { resourceVersion, continue: next = '' } = isRecord(metadata) ? metadata : {};
  // An empty list of a Go server may be null.
  const found = items ?? [];
  if (!Array.isArray(found) || typeof resourceVersion !== 'string' || typeof next !== 'string') {
    throw new TypeError(`GET ${path}: not a list`);
  }
  return { items: found, resourceVersion, next };
}
