import { kubectl } from './kubectl.ts';

/** Prints what helps to see why a test failed: pods, events and logs of the namespace. */
export async function report(namespace: string): Promise<void> {
  const say = async (...args: string[]): Promise<void> => {
    const text = await kubectl(...args, '--namespace', namespace).catch((error: unknown) => String(error));
    console.error(`--- kubectl ${args.join(' ')}\n${text}`);
  };
  await say('get', 'pods', '-o', 'wide');
  await say('get', 'events', '--sort-by', '.lastTimestamp');
  const names = await kubectl('get', 'pods', '--namespace', namespace, '-o', 'name').catch(() => '');
  for (const name of names.split('\n').filter((each) => each !== '')) {
    await say('logs', name, '--all-containers', '--tail', '100');
  }
}
