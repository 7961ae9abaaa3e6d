export const MASK = '<redacted>';

const keyword = 'token|secret|passw(?:or)?d|passphrase|api[_-]?key|access[_-]?key|private[_-]?key|credential';
/** Of a text within a text too, where each quote has backslashes before it. */
const quote = String.raw`\\*["']`;

type Rule = readonly [pattern: RegExp, replacement: string | ((found: string) => string)];

/** What looks like a secret wherever it stands. The order counts: what is cut out whole comes before its parts. */
const rules: readonly Rule[] = [
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g, MASK],
  [
    new RegExp(String.raw`((?:authorization|cookie)(?:${quote})?[ \t]*[:=][ \t]*(?:${quote})?)[^"'\\\r\n,}]+`, 'gi'),
    `$1${MASK}`,
  ],
  [/\b(bearer|basic)[ \t]+[\w.~+/=-]{6,}/gi, `$1 ${MASK}`],
  // name:password@host, and a token alone in front of a host.
  [/(:\/\/)[^\s/@"'<>]+@/g, `$1${MASK}@`],
  // JSON Web Tokens.
  [/\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?/g, MASK],
  [new RegExp(String.raw`((?:${keyword})s?(?:${quote})?[ \t]*[:=][ \t]*)(${quote}).*?\2`, 'gi'), `$1$2${MASK}$2`],
  [new RegExp(String.raw`((?:${keyword})s?(?:${quote})?[ \t]*[:=][ \t]*)[^\s,;&"'\\{}[\]()<]+`, 'gi'), `$1${MASK}`],
  [new RegExp(String.raw`\b((?:${keyword})[ \t]+(?:is|was)[ \t]+)\S+`, 'gi'), `$1${MASK}`],
  // Keys by the prefixes of those who give them out.
  [/\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g, MASK],
  [/\b(?:gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|sk-|sk_live_|hf_|pypi-)[\w-]{16,}/g, MASK],
  // Hexadecimal of 128 bits and more; a digest of an image and the id of a container are no secrets.
  [/(?<![\w-]|sha256:|:\/\/)[0-9a-f]{32,}(?![\w-])/gi, MASK],
  // Base64 in both alphabets. A path begins with a slash, a word has no digits, a name of Kubernetes no capitals.
  [/(?<![\w/.-])[\w-]{24,}={0,2}/g, ifRandom],
  [/(?<![\w@/.:-])[A-Za-z0-9+][A-Za-z0-9+/]{38,}={0,2}/g, ifRandom],
];

function ifRandom(found: string): string {
  return /[a-z]/.test(found) && /[A-Z]/.test(found) && /\d/.test(found) ? MASK : found;
}

/**
 * Text without what looks like a secret, and without any of the secrets that are known.
 * @param known as `knownSecrets` finds them, the longest first
 */
export function masked(text: string, known: readonly string[]): string {
  const without = known.reduce((rest, secret) => rest.replaceAll(secret, MASK), text);
  return rules.reduce((rest, [pattern, replacement]) => {
    return typeof replacement === 'string' ? rest.replace(pattern, replacement) : rest.replace(pattern, replacement);
  }, without);
}
