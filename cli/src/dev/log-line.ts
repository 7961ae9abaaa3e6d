import { z } from 'zod';

const pinoLine = z.looseObject({ level: z.number(), msg: z.string().default('') });
const names: Readonly<Record<number, string>> = { 40: 'warning', 50: 'error', 60: 'fatal' };
const warning = 40;

/** How a log line of router or agent shows in the terminal; undefined where it is not worth showing. */
export function shownLog(name: string, line: string, verbose: boolean): string | undefined {
  if (line.trim() === '') return undefined;
  let entry: z.infer<typeof pinoLine> | undefined;
  try {
    entry = pinoLine.safeParse(JSON.parse(line)).data;
  } catch {
    entry = undefined;
  }
  if (entry === undefined) return `${name}: ${line}`;
  if (verbose) return `${name}: ${line}`;
  if (entry.level < warning) return undefined;
  const error = z.looseObject({ err: z.looseObject({ message: z.string() }) }).safeParse(entry).data?.err.message;
  return `${name}: ${names[entry.level] ?? entry.level}: ${entry.msg}${error === undefined ? '' : ` (${error})`}`;
}
