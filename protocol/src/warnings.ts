import { z } from 'zod';

/** What each of our warnings says; a test holds that the sources give these and no others. */
export const warnings = {
  INTERRUPT_SENT: 'The code was asked to stop; the message says why.',
  INTERRUPT_IGNORED: 'It did not stop within `interruptGraceSeconds`; the message says where its threads stood.',
  INTERRUPT_KILLED: 'Its worker is killed therefore, and the session recovers.',
  OUTCOME_EXPIRED: 'The outcome is no longer kept; the status is that of the run.',
  OUTPUT_TRUNCATED: 'Something was too large and is left out.',
  SNAPSHOT_LOST: 'A snapshot is gone: what was changed since it can no longer be rolled back or undone.',
  WORKER_PROTOCOL: 'The worker broke the protocol and is killed.',
} as const;

export type WarningCode = keyof typeof warnings;

/** The codes of our warnings. */
export const warningCodes = Object.keys(warnings) as WarningCode[];

const ours = Object.entries(warnings).map(([code, meaning]) => `\`${code}\`: ${meaning}`);

/** A warning's code: one of ours, or one that a worker of another language adds. */
export const warningCode = z
  .string()
  .regex(/^[A-Z][A-Z0-9_]{0,63}$/)
  .describe(`${ours.join('\n')}\nA worker of another language may add its own.`);

export const warningSchema = z.strictObject({ code: warningCode, message: z.string() });
export type Warning = z.infer<typeof warningSchema>;
