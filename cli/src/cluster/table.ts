const GAP = '   ';

/** What a terminal takes for a command or a line's end, or what turns the text after it round (https://trojansource.codes). */
const COMMANDS = /[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/gu;

/** Left-aligned columns under their names, as kubectl prints them. Whatever a cell has is shown, and nothing of it is done. */
export function table(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [columns, ...rows].map((line) => line.map(harmless));
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => (line[index] ?? '').length)));
  const pad = (line: readonly string[]) => line.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join(GAP);
  return lines.map((line) => `${pad(line).trimEnd()}\n`).join('');
}

/** `name: value` lines. */
export function properties(entries: readonly (readonly [string, string])[]): string {
  const width = Math.max(...entries.map(([name]) => name.length)) + 1;
  return entries.map(([name, value]) => `${`${name}:`.padEnd(width)}${GAP}${harmless(value)}\n`).join('');
}

/** Names of sessions, messages of pods: others write them, and who reads them may be an administrator. */
function harmless(text: string): string {
  return text.replaceAll(COMMANDS, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}
