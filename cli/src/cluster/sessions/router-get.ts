import { type IncomingMessage, request } from 'node:http';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { answerFailure } from '../../client/problem.ts';
import { CommandFailure, serviceFailed, wrongUse } from '../../failure.ts';
import type { Cluster } from '../cluster.ts';
import type { Get } from './list-sessions.ts';
import { connectToPod } from './port-forward.ts';
import type { RouterPod } from './router-pod.ts';

const TIMEOUT_MS = 60_000;

/** Reads from a router in the cluster by a port-forward to its pod, a connection for each request. */
export function routerGet(cluster: Cluster, router: RouterPod, token: string): Get {
  return async (path) => {
    const stream = await connectToPod(cluster.config, router);
    try {
      const response = await send(stream, path, token);
      const body = await text(response);
      if (response.statusCode === 401) throw notKnown(body);
      return { status: response.statusCode ?? 0, body };
    } catch (error) {
      if (error instanceof CommandFailure) throw error;
      const why = error instanceof Error ? error.message : String(error);
      throw serviceFailed(
        `router ${router.name} does not answer: ${why}`,
        `\`kubectl logs -n ${router.namespace} ${router.name}\` tells more`,
        error,
      );
    } finally {
      stream.destroy();
    }
  };
}

/** The token of a kubeconfig is made out to the API server; a router takes those that are made out to it. */
function notKnown(body: string): CommandFailure {
  const { message } = answerFailure(401, body);
  return wrongUse(
    `the router does not take your token: ${message}`,
    'give --as-service-account NAME, or in REPLPOOL_API_KEY a key, or a token as of `kubectl create token NAME --audience=replpool`',
  );
}

function send(stream: Duplex, path: string, token: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const req = request(
      {
        path: `/${path}`,
        headers: { host: 'router', authorization: `Bearer ${token}`, connection: 'close' },
        signal: AbortSignal.timeout(TIMEOUT_MS),
        createConnection: () => stream,
      },
      resolve,
    );
    req.on('error', reject).end();
  });
}
