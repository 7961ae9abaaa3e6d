import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Runs kubectl (`$KUBECTL`, else that of the PATH) on the cluster of $KUBECONFIG. @returns its standard output */
export async function kubectl(...args: string[]): Promise<string> {
  const { stdout } = await run(process.env.KUBECTL ?? 'kubectl', args, { maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}

/** Applies one object. */
export async function kubectlApply(object: object): Promise<void> {
  const applied = run(process.env.KUBECTL ?? 'kubectl', ['apply', '-f', '-']);
  applied.child.stdin?.end(JSON.stringify(object));
  await applied;
}
