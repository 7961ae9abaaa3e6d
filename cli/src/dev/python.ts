import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { z } from 'zod';
import { serviceFailed } from '../failure.ts';
import { pythonEnv } from './guard.ts';

const probeTimeoutMs = 10_000;
const minimum = [3, 10] as const;
const probe = `import json, sys
try:
    import ensurepip, venv
    complete = True
except ImportError:
    complete = False
print(json.dumps({"executable": sys.executable, "version": list(sys.version_info[:3]), "complete": complete}))`;

const probed = z.object({
  executable: z.string().min(1),
  version: z.tuple([z.int(), z.int(), z.int()]),
  complete: z.boolean(),
});

/** A Python that can make virtual environments. */
export interface Python {
  readonly executable: string;
  readonly version: string;
}

export type Candidate = { readonly usable: Python } | { readonly unusable: string };

/** Judges what a candidate said of itself. */
export function judge(name: string, output: string): Candidate {
  const { executable, version, complete } = probed.parse(JSON.parse(output));
  const [major, minor] = version;
  if (major < minimum[0] || (major === minimum[0] && minor < minimum[1])) {
    return { unusable: `${name} is ${version.join('.')}` };
  }
  if (!complete) return { unusable: `${name} lacks the modules venv and ensurepip` };
  return { usable: { executable, version: version.join('.') } };
}

async function ask(name: string): Promise<Candidate> {
  try {
    const { stdout } = await promisify(execFile)(name, ['-I', '-c', probe], {
      timeout: probeTimeoutMs,
      env: pythonEnv(process.env),
    });
    return judge(name, stdout);
  } catch {
    return { unusable: `${name} is not there or does not start` };
  }
}

/** The first usable of `$REPLPOOL_PYTHON` (which then must be), `python3` and the versioned names in PATH. */
export async function findPython(env: NodeJS.ProcessEnv): Promise<Python> {
  const named = env.REPLPOOL_PYTHON;
  const names = named ? [named] : ['python3', 'python3.13', 'python3.12', 'python3.11', 'python3.10', 'python3.14'];
  const reasons: string[] = [];
  for (const name of names) {
    const candidate = await ask(name);
    if ('usable' in candidate) return candidate.usable;
    reasons.push(candidate.unusable);
  }
  throw serviceFailed(
    `no usable Python (3.10 or newer, with venv and ensurepip): ${reasons.join('; ')}`,
    'install one (Debian and Ubuntu: apt install python3 python3-venv) or name one in REPLPOOL_PYTHON',
  );
}
