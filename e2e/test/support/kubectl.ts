import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Runs kubectl (`$KUBECTL`, else that of the PATH) on the cluster of $KUBECONFIG. @returns its standard output */
export function kubectl(...args: string[]): Promise<string> {
  return kubectlWith('', ...args);
}

/** The same with this on its standard input: Secrets must not be in a list of processes, nor in a file that stays. */
export async function kubectlWith(input: string, ...args: string[]): Promise<string> {
  const done = run(process.env.KUBECTL ?? 'kubectl', args, { maxBuffer: 64 * 1024 * 1024 });
  done.child.stdin?.end(input);
  return (await done).stdout;
}
