/** `name` as it stands in a URL or a Host header without its port: `localhost`, `127.0.0.1`, `[::1]` or `::1`. */
export function isLoopbackName(name: string): boolean {
  const lower = name.toLowerCase().replace(/^\[(.*)\]$/, '$1');
  return lower === 'localhost' || lower === '::1' || /^127(\.\d{1,3}){3}$/.test(lower);
}

/**
 * Mode `none` trusts whoever reaches loopback, so a web page must not: a name that DNS rebinding points at 127.0.0.1
 * stands in `Host`, a page of another origin in `Origin`. Returns why a request is refused, or undefined.
 */
export function foreignReason(host: string | undefined, origin: string | undefined): string | undefined {
  const here = splitHost(host ?? '');
  if (here === undefined || !isLoopbackName(here.name)) {
    return `the Host header is ${quote(host)}, which is not a loopback name`;
  }
  if (origin === undefined) return undefined;
  const there = URL.canParse(origin) ? new URL(origin) : undefined;
  const ours = there?.protocol === 'http:' && isLoopbackName(there.hostname) && (there.port || '80') === here.port;
  return ours ? undefined : `the Origin header is ${quote(origin)}, a page from elsewhere`;
}

function splitHost(host: string): { name: string; port: string } | undefined {
  const match = /^(\[[0-9a-fA-F:]+\]|[^:[\]/@\s]+)(?::(\d{1,5}))?$/.exec(host);
  return match?.[1] === undefined ? undefined : { name: match[1], port: match[2] ?? '80' };
}

const quote = (text: string | undefined): string =>
  text === undefined ? 'missing' : JSON.stringify(text.slice(0, 200));
