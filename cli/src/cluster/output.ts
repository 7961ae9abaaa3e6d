import { stringify } from 'yaml';
import type { OutputFormat } from './output-format.ts';

/** Data for machines as JSON or YAML, else what `text` makes for people. */
export function rendered(format: OutputFormat, data: unknown, text: (wide: boolean) => string): string {
  if (format === 'json') return `${JSON.stringify(data, undefined, 2)}\n`;
  if (format === 'yaml') return stringify(data);
  return text(format === 'wide');
}
