import { join } from 'node:path';
import { HelmRelease } from './helm.ts';
import { kubectl } from './kubectl.ts';
import { Namespace } from './namespace.ts';
import { report } from './report.ts';

const examples = join(import.meta.dirname, '../../../examples/cluster');

/** A release of the chart, and the namespace whose pools it serves: the examples' first pool, which is ready, and their user. */
export interface ChartRelease {
  readonly release: HelmRelease;
  readonly namespace: Namespace;
  readonly pools: Namespace;
}

/**
 * For the tests of one `describe`: the chart as a release of their own, and a report after each that fails.
 * @param uninstalls whether a test itself uninstalls it
 * @returns the release, once they run
 */
export function withChart(purpose: string, { uninstalls = false } = {}): () => ChartRelease {
  let namespace: Namespace | undefined;
  let pools: Namespace | undefined;
  let release: HelmRelease | undefined;
  before(async () => {
    namespace = await Namespace.create(purpose);
    pools = await Namespace.create(`${purpose}-pools`);
    release = await HelmRelease.install({
      ...{ name: 'rp', namespace: namespace.name, watchNamespace: pools.name },
      // The pools' namespace enforces restricted pods.
      args: ['--set', 'operator.cgroups=None'],
    });
    await kubectl('apply', '-n', pools.name, '-f', `${examples}/first-pool.yaml`, '-f', `${examples}/user.yaml`);
    await kubectl('wait', '-n', pools.name, '--for=condition=Ready', 'replpool/default', '--timeout=120s');
  });
  afterEach(async function () {
    if (this.currentTest?.state !== 'failed') return;
    for (const each of [namespace, pools]) if (each) await report(each.name);
  });
  after(async () => {
    if (!uninstalls) await release?.[Symbol.asyncDispose]();
    await pools?.[Symbol.asyncDispose]();
    await namespace?.[Symbol.asyncDispose]();
  });
  return () => {
    if (!release || !namespace || !pools) throw new Error('the chart was not installed yet');
    return { release, namespace, pools };
  };
}
