const GAP = '   ';

/** Left-aligned columns under their names, as kubectl prints them. */
export function table(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [columns, ...rows];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => (line[index] ?? '').length)));
  const pad = (line: readonly string[]) => line.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join(GAP);
  return lines.map((line) => `${pad(line).trimEnd()}\n`).join('');
}

/** `name: value` lines. */
export function properties(entries: readonly (readonly [string, string])[]): string {
  const width = Math.max(...entries.map(([name]) => name.length)) + 1;
  return entries.map(([name, value]) => `${`${name}:`.padEnd(width)}${GAP}${value}\n`).join('');
}
