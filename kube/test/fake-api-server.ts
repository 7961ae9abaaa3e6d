import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { KubeConfig } from '@kubernetes/client-node';
import { ApiClient } from '../src/index.ts';

export interface Answered {
  readonly status?: number;
  readonly body: unknown;
}

/** A watch that a client has open. */
export interface OpenWatch {
  readonly resourceVersion: string | null;
  readonly query: URLSearchParams;
  /** Sends one event, or a text as it is. */
  send(event: unknown): void;
  /** As the server does when its time is over. */
  end(): void;
  /** As a network does. */
  reset(): void;
}

/** An API server by node:http whose answers a test decides; the connections are real. */
export class FakeApiServer implements AsyncDisposable {
  readonly config: KubeConfig;
  readonly client: ApiClient;
  readonly watches: OpenWatch[] = [];
  readonly requests: string[] = [];
  /** What a request that is no watch gets, and a watch too where it is not undefined. */
  answer: (url: URL, request: IncomingMessage, body: string) => Answered | undefined = () => undefined;
  /** What a request waits for before it is answered. */
  hold: (url: URL) => Promise<void> | undefined = () => undefined;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
    const config = new KubeConfig();
    const { port } = server.address() as AddressInfo;
    const cluster = { name: 'fake', server: `http://127.0.0.1:${port}`, skipTLSVerify: true };
    config.loadFromClusterAndUser(cluster, { name: 'nobody', token: 'secret' });
    this.config = config;
    this.client = new ApiClient(config);
    server.on('request', (request, response) => {
      // A connection that the test broke has no body.
      void text(request).then(
        (body) => this.#begin(request, body, response),
        () => undefined,
      );
    });
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  static async start(): Promise<FakeApiServer> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new FakeApiServer(server);
  }

  get connections(): number {
    return this.#sockets.size;
  }

  /** @param items names and versions of pods */
  lists(resourceVersion: string, ...items: unknown[]): void {
    this.answer = (url) => (url.searchParams.has('watch') ? undefined : listOf(resourceVersion, items));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client[Symbol.dispose]();
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #begin(request: IncomingMessage, body: string, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', 'http://fake');
    const held = this.hold(url);
    if (held !== undefined) await held;
    this.#serve(url, request, body, response);
  }

  #serve(url: URL, request: IncomingMessage, body: string, response: ServerResponse): void {
    this.requests.push(`${request.method} ${url.pathname}${url.search}`);
    const answer = this.answer(url, request, body);
    if (answer !== undefined || !url.searchParams.has('watch')) {
      const { status = 200, body: told } = answer ?? { status: 404, body: { reason: 'NotFound' } };
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(told));
      return;
    }
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    this.watches.push({
      resourceVersion: url.searchParams.get('resourceVersion'),
      query: url.searchParams,
      send: (event) => response.write(typeof event === 'string' ? event : `${JSON.stringify(event)}\n`),
      end: () => response.end(),
      reset: () => request.socket.resetAndDestroy(),
    });
  }
}

export function listOf(resourceVersion: string, items: unknown[], next = ''): Answered {
  return { body: { kind: 'PodList', apiVersion: 'v1', metadata: { resourceVersion, continue: next }, items } };
}

export function pod(name: string, resourceVersion: string, uid = `uid-${name}`) {
  return { metadata: { name, namespace: 'ns', uid, resourceVersion } };
}

/** Resolves once the condition holds; the time only ends a test that fails. */
export async function until(condition: () => boolean | Promise<boolean>, ms = 10_000): Promise<void> {
  const begin = performance.now();
  while (!(await condition())) {
    if (performance.now() - begin > ms) throw new Error(`not within ${ms} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
