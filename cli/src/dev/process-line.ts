import { z } from 'zod';

const processLine = z.discriminatedUnion('event', [
  z.object({ event: z.literal('listening'), port: z.int().min(1).max(65_535) }),
  z.object({ event: z.literal('ready') }),
  z.object({ event: z.literal('agent_ready'), pod: z.string() }),
  z.object({ event: z.literal('failed'), message: z.string() }),
]);

/** What a router or an agent says on its stdout. */
export type ProcessLine = z.infer<typeof processLine>;

/** The event, or undefined for a line that is none (a newer process may say more). */
export function parseProcessLine(line: string): ProcessLine | undefined {
  try {
    return processLine.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
