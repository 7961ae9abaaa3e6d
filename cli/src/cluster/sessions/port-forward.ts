import { Duplex, PassThrough } from 'node:stream';
import { type KubeConfig, PortForward } from '@kubernetes/client-node';
import { ApiError, NoAnswerError } from '@replpool/kube';
import { clusterFailure } from '../cluster-failure.ts';

export interface PodPort {
  readonly namespace: string;
  readonly name: string;
  readonly port: number;
}

/**
 * One connection to a pod's port by way of the API server. No port of this machine is opened for it, where others could use it too.
 * @throws CommandFailure
 */
export async function connectToPod(config: KubeConfig, { namespace, name, port }: PodPort): Promise<Duplex> {
  const incoming = new PassThrough();
  const outgoing = new PassThrough();
  const failed = new PassThrough();
  let socket: Awaited<ReturnType<PortForward['portForward']>>;
  try {
    socket = await new PortForward(config).portForward(namespace, name, [port], incoming, failed, outgoing);
  } catch (error) {
    const asked = { verb: 'create', resource: 'pods/portforward', namespace, name } as const;
    throw clusterFailure(upgradeError(error, name), asked, config.getCurrentCluster()?.server ?? '');
  }
  // Without retries it is the socket itself.
  if (typeof socket === 'function') throw new TypeError('not a WebSocket');
  const stream = Duplex.from({ readable: incoming, writable: outgoing });
  failed.once('data', (said) => stream.destroy(new Error(String(said).trim())));
  socket.onerror = ({ message }) => stream.destroy(new Error(message));
  socket.onclose = () => incoming.end();
  stream.once('close', () => socket.close());
  return stream;
}

/** `ws` has only the status in its message; the body, with the reason, is gone. */
function upgradeError(error: unknown, pod: string): Error {
  const message =
    typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : String(error);
  const status = /Unexpected server response: (\d+)/.exec(message)?.[1];
  const what = `port-forward to pod ${pod}`;
  return status === undefined
    ? new NoAnswerError(`${what}: ${message}`, { cause: error })
    : new ApiError(Number(status), {}, what);
}
