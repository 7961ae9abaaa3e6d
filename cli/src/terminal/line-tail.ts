import { stripVTControlCharacters } from 'node:util';

const tabWidth = 8;

/** What stands on the row of the cursor after more output; a carriage return begins the row anew. */
export function lineTail(tail: string, text: string): string {
  const all = tail + text;
  const line = all.slice(all.lastIndexOf('\n') + 1);
  const written = line.replace(/\r+$/, '');
  return written.slice(written.lastIndexOf('\r') + 1);
}

/** Whether the tail and a bit of a prompt surely stand on one row; characters that may be wide count as such. */
export function fitsRow(tail: string, columns: number): boolean {
  let width = 0;
  for (const char of stripVTControlCharacters(tail)) width += char === '\t' ? tabWidth : char < '\x7f' ? 1 : 2;
  return width < columns - 1;
}
