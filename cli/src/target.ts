import { wrongUse } from './failure.ts';

/** Which service a command talks to, and as whom. */
export interface Target {
  readonly url: URL;
  readonly apiKey: string | undefined;
}

const defaultUrl = 'http://127.0.0.1:8080';

/** `--url`, else `$REPLPOOL_URL`, else this machine; the key likewise. */
export function target(options: { url?: string; apiKey?: string }, env: NodeJS.ProcessEnv): Target {
  const text = options.url ?? (env.REPLPOOL_URL || defaultUrl);
  const url = URL.parse(text);
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    throw wrongUse(`'${text}' is not an http or https URL`, `give one like ${defaultUrl} to --url or in REPLPOOL_URL`);
  }
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return { url, apiKey: options.apiKey ?? (env.REPLPOOL_API_KEY || undefined) };
}
