import { kubectl } from './kubectl.ts';

const folder = new URL('../../../crds/', import.meta.url).pathname;

/** Installs the CRD, or brings it up to date, and waits until the API server serves it. */
export async function applyCrd(): Promise<void> {
  await kubectl('apply', '--server-side', '--force-conflicts', '--field-manager=e2e', '-f', folder);
  await kubectl('wait', '--for=condition=Established', 'crd/replpools.replpool.dev', '--timeout=60s');
}
