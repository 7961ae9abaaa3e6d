import { errorCodes, errorDefinition } from './error-registry.ts';

function retry(code: (typeof errorCodes)[number]): string {
  const { retryable, retryAfterSeconds } = errorDefinition(code);
  if (!retryable) return 'no';
  return retryAfterSeconds === undefined ? 'yes' : `yes, after ${retryAfterSeconds} s by default`;
}

/** `docs/errors.md`: a section for every code. */
export function errorsPage(): string {
  const lines = [
    '# Errors',
    '',
    '<!-- Generated from protocol/src/error-registry.ts by `npm run generate`. Do not edit. -->',
    '',
    'Every error answer is `application/problem+json`: `{type, title, status, code, what, why, how, retryable, details?}`.',
    '`code` is stable; 429 and 503 carry `Retry-After`. What follows is the usual cause and remedy, an answer may know better.',
    '',
    '| code | status | retryable |',
    '|---|---|---|',
    ...errorCodes.map(
      (code) => `| [\`${code}\`](#${code.toLowerCase()}) | ${errorDefinition(code).status} | ${retry(code)} |`,
    ),
    '',
  ];
  for (const code of errorCodes) {
    const { status, title, why, how } = errorDefinition(code);
    lines.push(`## ${code}`, '', `${title} (${status}). Retryable: ${retry(code)}.`, '');
    lines.push(`**Why:** ${why}`, '', `**How to fix it:** ${how}`, '');
  }
  return `${lines.join('\n').trimEnd()}\n`;
}
