import { readFileSync } from 'node:fs';
import { wrongUse } from './failure.ts';

/** Which service a command talks to, and as whom. */
export interface Target {
  readonly url: URL;
  readonly apiKey: string | undefined;
}

const defaultUrl = 'http://127.0.0.1:8080';

export interface TargetOptions {
  readonly url?: string;
  readonly apiKey?: string;
  readonly apiKeyFile?: string;
}

function keyOfFile(file: string): string {
  let key: string;
  try {
    key = readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw wrongUse(
      `cannot read the key in ${file}: ${error instanceof Error ? error.message : error}`,
      undefined,
      error,
    );
  }
  return demandKey(key, file);
}

/** Anything else cannot stand in a header, and its text is not repeated in the message, for it may be a key all but for that. */
function demandKey(key: string, source: string): string {
  if (/^[\x21-\x7e]+$/.test(key)) return key;
  throw wrongUse(`what ${source} holds is no key`, 'a key is one word of visible ASCII characters');
}

function keyOf(options: TargetOptions, env: NodeJS.ProcessEnv): string | undefined {
  const { apiKey, apiKeyFile } = options;
  if (apiKey !== undefined && apiKeyFile !== undefined) throw wrongUse('give --api-key-file or --api-key, not both');
  if (apiKeyFile !== undefined) return keyOfFile(apiKeyFile);
  if (apiKey !== undefined) return demandKey(apiKey, '--api-key');
  return env.REPLPOOL_API_KEY ? demandKey(env.REPLPOOL_API_KEY, '$REPLPOOL_API_KEY') : undefined;
}

/** `--url`, else `$REPLPOOL_URL`, else this machine; `--api-key-file`, `--api-key`, else `$REPLPOOL_API_KEY`, else no key. */
export function target(options: TargetOptions, env: NodeJS.ProcessEnv): Target {
  const text = options.url ?? (env.REPLPOOL_URL || defaultUrl);
  const url = URL.parse(text);
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    throw wrongUse(`'${text}' is not an http or https URL`, `give one like ${defaultUrl} to --url or in REPLPOOL_URL`);
  }
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return { url, apiKey: keyOf(options, env) };
}
