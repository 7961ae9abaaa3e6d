import { fstatSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';

/** What a process is told by who started it. */
export interface ProcessInput {
  /** Not yet parsed by its schema. */
  readonly config: unknown;
  /** `--pod`: the name of the pod, which a file that many pods share cannot have; also for who looks at the list of processes. */
  readonly pod: string | undefined;
  /**
   * Where a parent holds the other end of stdin: calls `line` for each further line, and `end` when the parent has gone, however it went.
   * In a container stdin is /dev/null and says nothing.
   */
  follow(on: { line?(line: string): void; end(): void }): void;
}

/**
 * Reads the configuration: the file that `--config` names, else the first line of stdin. Never the environment, which every process of the
 * same user can read in /proc, workers among them.
 *
 * @throws Error where there is none, or where it is not JSON
 */
export async function readProcessInput(): Promise<ProcessInput> {
  const { values } = parseArgs({ options: { config: { type: 'string' }, pod: { type: 'string' } } });
  const lines = hasParentPipe() ? createInterface({ input: process.stdin })[Symbol.asyncIterator]() : undefined;
  const text = values.config === undefined ? (await lines?.next())?.value : readFileSync(values.config, 'utf8');
  if (text === undefined) throw new Error('no configuration: it is the file of --config, or the first line of stdin');
  return {
    config: JSON.parse(text),
    pod: values.pod,
    follow: (on) => {
      if (lines) void each(lines, on.line).then(on.end, on.end);
    },
  };
}

/** The configuration with the name of the pod as this field: a file that the pods of one owner share cannot have it. */
export function withPodName({ config, pod }: ProcessInput, field: string): unknown {
  return pod === undefined || typeof config !== 'object' ? config : { ...config, [field]: pod };
}

async function each(lines: AsyncIterator<string>, line: ((line: string) => void) | undefined): Promise<void> {
  for (let next = await lines.next(); !next.done; next = await lines.next()) {
    if (next.value.trim() !== '') line?.(next.value);
  }
}

function hasParentPipe(): boolean {
  const stdin = fstatSync(0);
  return stdin.isFIFO() || stdin.isSocket();
}
