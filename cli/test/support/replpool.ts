import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

export const bin = fileURLToPath(new URL('../../bin/replpool.mjs', import.meta.url));
const plugin = fileURLToPath(new URL('../../bin/kubectl-replpool.mjs', import.meta.url));
export const examples = fileURLToPath(new URL('../../../examples/', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** One `replpool` command line, to its end. */
export function replpool(args: readonly string[], stdin = '', env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return run(bin, args, stdin, env);
}

/** One `kubectl replpool` command line, as kubectl starts it. */
export function kubectlReplpool(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return run(plugin, args, '', env);
}

async function run(file: string, args: readonly string[], stdin: string, env: NodeJS.ProcessEnv): Promise<Ended> {
  const child = spawn(process.execPath, [file, ...args], {
    stdio: 'pipe',
    env: { ...process.env, REPLPOOL_URL: '', REPLPOOL_API_KEY: '', KUBECONFIG: '', ...env },
  });
  child.stdin.on('error', () => undefined).end(stdin);
  const [stdout, stderr, exit] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { code: exit[0] as number | null, stdout, stderr };
}
