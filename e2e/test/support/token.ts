import { kubectl } from './kubectl.ts';

/** A token of a ServiceAccount, as people get one; the account is made where it is not there. */
export async function tokenOf(namespace: string, account: string, audience = 'replpool'): Promise<string> {
  const there = await kubectl(
    'get',
    'serviceaccount',
    account,
    '--namespace',
    namespace,
    '--ignore-not-found',
    '-o',
    'name',
  );
  if (there === '') await kubectl('create', 'serviceaccount', account, '--namespace', namespace);
  return (await kubectl('create', 'token', account, '--namespace', namespace, `--audience=${audience}`)).trim();
}
