import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Image, image } from './images.ts';
import { kubectl } from './kubectl.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../../..');
const chart = join(root, 'charts/replpool');

let path: Promise<string> | undefined;

/** `$HELM`, else the one that `e2e/cluster/tool` compiles. */
export function helmPath(): Promise<string> {
  path ??= (async () => {
    if (process.env.HELM !== undefined) return process.env.HELM;
    const { stdout } = await run(join(root, 'e2e/cluster/tool'), ['helm']);
    return stdout.trim();
  })();
  return path;
}

/** Runs Helm on the cluster of $KUBECONFIG. @returns its standard output */
export async function helm(...args: string[]): Promise<string> {
  const { stdout } = await run(await helmPath(), args, { maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}

/**
 * What every release of a test is installed with: the images of the working tree, and no pools but its own.
 * @param watchNamespace whose pools it serves, for tests must leave each other's alone
 */
export async function chartArguments(watchNamespace: string): Promise<string[]> {
  const names: readonly Image[] = ['operator', 'router', 'agent'];
  const settings = [`watchNamespace=${watchNamespace}`];
  for (const name of names) {
    const whole = await image(name);
    const tag = whole.lastIndexOf(':');
    settings.push(`${name}.image.repository=${whole.slice(0, tag)}`, `${name}.image.tag=${whole.slice(tag + 1)}`);
  }
  // The cluster has the CRD already, as a second release of one would find it.
  return ['--take-ownership', ...settings.flatMap((setting) => ['--set-string', setting])];
}

export interface HelmReleaseOptions {
  readonly name: string;
  readonly namespace: string;
  readonly watchNamespace: string;
  readonly args?: readonly string[];
}

/** The chart of the working tree as a release; uninstalled at the end. */
export class HelmRelease implements AsyncDisposable {
  readonly name: string;
  readonly namespace: string;
  readonly #fixed: readonly string[];

  private constructor({ name, namespace }: HelmReleaseOptions, fixed: readonly string[]) {
    this.name = name;
    this.namespace = namespace;
    this.#fixed = ['--namespace', namespace, '--wait', '--timeout', '180s', ...fixed];
  }

  /** Resolves once all of it is ready. */
  static async install(options: HelmReleaseOptions): Promise<HelmRelease> {
    const release = new HelmRelease(options, await chartArguments(options.watchNamespace));
    await release.upgrade(...(options.args ?? []));
    return release;
  }

  /** Installs or changes it; resolves once all of it is ready, as Helm sees it. */
  async upgrade(...args: string[]): Promise<void> {
    await helm('upgrade', '--install', this.name, chart, ...this.#fixed, ...args);
  }

  /** What clients call. The cluster may have no DNS, so by its address. */
  async url(): Promise<string> {
    const service = ['get', 'service', `${this.name}-router`, '--namespace', this.namespace];
    const address = await kubectl(...service, '-o', 'jsonpath={.spec.clusterIP}:{.spec.ports[?(@.name=="http")].port}');
    return `http://${address}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await helm('uninstall', this.name, '--namespace', this.namespace, '--wait');
  }
}
