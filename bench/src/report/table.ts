import type { FigureReport } from './figure.ts';
import { floorText } from './floor.ts';
import type { MeasureReport, Report } from './report.ts';

const head = ['what', 'unit', 'n', 'min', 'p50', 'p95', 'p99', "predecessors' floor", 'met'];
/** Columns of text; the others are numbers and stand to the right. */
const leftAligned = new Set([0, 1, 7, 8]);

/** Three digits that say something; whole numbers from 100 on. */
export function shown(value: number): string {
  if (Number.isInteger(value) || value >= 100) return String(Math.round(value));
  return value.toFixed(value >= 10 ? 1 : value >= 1 ? 2 : 3);
}

function cells(figure: FigureReport): string[] {
  const { name, unit, statistics: found, floor, met } = figure;
  const numbers = [found.min, found.p50, found.p95, found.p99].map(shown);
  const verdict = met === undefined ? '' : met ? 'yes' : 'NO';
  return [name, unit, String(found.n), ...numbers, floor === undefined ? '' : floorText(floor), verdict];
}

/** The rows under each other, each column as wide as its widest cell. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) =>
        leftAligned.has(column) ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
}

function notes({ name, figures, failure }: MeasureReport): string[] {
  const said = figures.flatMap((figure) => (figure.note === undefined ? [] : [`${figure.name}: ${figure.note}`]));
  return failure === undefined ? said : [...said, `${name} FAILED: ${failure}`];
}

/** One table of all figures, then notes and failures, a line each. */
export function table({ measures, machine, smoke }: Pick<Report, 'measures' | 'machine' | 'smoke'>): string {
  const [title, ...rows] = aligned([head, ...measures.flatMap(({ figures }) => figures.map(cells))]);
  const about = [
    `${machine.cpus} × ${machine.cpuModel}, Linux ${machine.kernel}, Node ${machine.node}, Python ${machine.python}`,
    `load ${machine.loadBefore.map((load) => load.toFixed(2)).join(' ')}`,
    `commit ${machine.commit}`,
  ].join('; ');
  const lines = [`${smoke ? 'Smoke run, floors are only shown. ' : ''}${about}`, '', title ?? '', ...rows];
  const remarks = measures.flatMap(notes);
  return `${[...lines, ...(remarks.length > 0 ? ['', ...remarks] : [])].join('\n')}\n`;
}
