/** One line a figure, aligned, for a terminal. */
export function table(phases: Readonly<Record<string, Readonly<Record<string, number>>>>): string {
  const rows = Object.entries(phases).flatMap(([phase, figures]) =>
    Object.entries(figures).map(([name, value]) => [phase, name, value.toFixed(value < 100 ? 2 : 0)] as const),
  );
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map(
      ([phase, name, value]) =>
        `${phase.padEnd(widths[0] ?? 0)}  ${name.padEnd(widths[1] ?? 0)}  ${value.padStart(widths[2] ?? 0)}`,
    )
    .join('\n');
}
