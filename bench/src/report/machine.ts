import { execFile } from 'node:child_process';
import { availableParallelism, cpus, loadavg, release } from 'node:os';
import { promisify } from 'node:util';

/** What a figure depends on besides the code. */
export interface Machine {
  readonly cpus: number;
  readonly cpuModel: string;
  readonly kernel: string;
  readonly node: string;
  /** Python, numpy and pandas of the sessions. */
  readonly python: string;
  /** Over 1, 5 and 15 minutes, before anything was started. */
  readonly loadBefore: readonly number[];
  /** With `+` where files differ from it; `unknown` outside a git checkout. */
  readonly commit: string;
}

async function commit(): Promise<string> {
  const git = async (...args: string[]): Promise<string> =>
    (await promisify(execFile)('git', args, { cwd: import.meta.dirname })).stdout.trim();
  try {
    const [hash, changes] = await Promise.all([git('rev-parse', '--short=12', 'HEAD'), git('status', '--porcelain')]);
    return changes === '' ? hash : `${hash}+`;
  } catch {
    return 'unknown';
  }
}

/** All but `python`, which only a session can tell. Call it before anything is started, for the load's sake. */
export async function hostFacts(): Promise<Omit<Machine, 'python'>> {
  return {
    loadBefore: loadavg(),
    cpus: availableParallelism(),
    cpuModel: cpus()[0]?.model ?? 'unknown cpu',
    kernel: release(),
    node: process.version,
    commit: await commit(),
  };
}
