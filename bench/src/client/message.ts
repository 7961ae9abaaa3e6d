/** What a measure needs to know of an event or control message. */
export type Message =
  | { readonly type: 'stdout'; readonly seq: number; readonly execution: string | undefined; readonly data: string }
  | { readonly type: 'result'; readonly seq: number; readonly execution: string; readonly text: string | undefined }
  | { readonly type: 'finished'; readonly seq: number; readonly execution: string; readonly status: string }
  | { readonly type: 'hello'; readonly lastSeq: number }
  | { readonly type: 'problem'; readonly text: string; readonly execution: string | undefined }
  | { readonly type: 'event'; readonly seq: number; readonly name: string; readonly execution: string | undefined };

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function text(value: unknown, name: string): string {
  const found = field(value, name);
  if (typeof found !== 'string') throw new Error(`a message's ${name} is no text: ${JSON.stringify(value)}`);
  return found;
}

function optionalText(value: unknown, name: string): string | undefined {
  return field(value, name) === undefined ? undefined : text(value, name);
}

function seqOf(value: unknown): number {
  const found = field(value, 'seq');
  if (typeof found !== 'number') throw new Error(`a message without seq: ${JSON.stringify(value)}`);
  return found;
}

/** The `text/plain` of a MIME bundle. */
export function plainText(bundle: unknown): string | undefined {
  return optionalText(field(bundle, 'data'), 'text/plain');
}

/**
 * Reads a decoded message. By hand and not by the protocol's schemas: those look at every field, which for a pipelined `1+1` costs the
 * client more than the service takes, and the figure would be the client's. That messages follow their schemas is for the tests to say.
 * @throws Error where a field that is used here is missing, or events were lost (`gap`)
 */
export function readMessage(value: unknown): Message {
  const type = text(value, 'type');
  switch (type) {
    case 'stdout':
      return { type, seq: seqOf(value), execution: optionalText(value, 'execution'), data: text(value, 'data') };
    case 'result':
      return { type, seq: seqOf(value), execution: text(value, 'execution'), text: plainText(value) };
    case 'finished':
      return { type, seq: seqOf(value), execution: text(value, 'execution'), status: text(value, 'status') };
    case 'hello':
      return { type, lastSeq: seqOf(value) };
    case 'problem': {
      const problem = field(value, 'problem');
      const said = `${text(problem, 'code')}: ${text(problem, 'what')}`;
      return { type, text: said, execution: optionalText(value, 'execution') };
    }
    case 'gap':
      throw new Error(`events were lost: ${JSON.stringify(value)}`);
    default:
      return { type: 'event', name: type, seq: seqOf(value), execution: optionalText(value, 'execution') };
  }
}

/** How an execution ended, as the HTTP answer says it. */
export interface Outcome {
  readonly status: string;
  /** `text/plain` of the result. */
  readonly result: string | undefined;
  /** Of one that ran in a transaction. */
  readonly transaction?: { readonly snapshot: string; readonly outcome: string; readonly costMs: number } | undefined;
}

export function readOutcome(value: unknown): Outcome {
  const transaction = field(value, 'transaction');
  return {
    status: text(value, 'status'),
    result: plainText(field(value, 'result')),
    transaction:
      transaction === undefined
        ? undefined
        : {
            snapshot: text(transaction, 'snapshot'),
            outcome: text(transaction, 'outcome'),
            costMs: Number(field(transaction, 'costMs')),
          },
  };
}

/** @throws Error unless the code ended well, with this result where one is given */
export function expectOutcome({ status, result }: Pick<Outcome, 'status' | 'result'>, expected?: string): void {
  if (status === 'ok' && (expected === undefined || result === expected)) return;
  throw new Error(
    `the execution is ${status} with result ${result}, expected ok${expected ? ` with ${expected}` : ''}`,
  );
}
