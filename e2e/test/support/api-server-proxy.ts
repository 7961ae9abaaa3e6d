import { type AddressInfo, createConnection, createServer, type Server, type Socket } from 'node:net';
import { KubeConfig } from '@kubernetes/client-node';

/** The network between a client and the API server, which a test can break. TLS goes through it unread. */
export class ApiServerProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #target: URL;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #mode: 'open' | 'stalled' | 'refusing' = 'open';
  /** Connections that were made through it. */
  accepted = 0;

  private constructor(server: Server, target: URL) {
    this.#server = server;
    this.#target = target;
    server.on('connection', (near) => this.#accept(near));
  }

  static async start(config: KubeConfig): Promise<ApiServerProxy> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new ApiServerProxy(server, new URL(config.getCurrentCluster()?.server ?? ''));
  }

  get connections(): number {
    return this.#pairs.size;
  }

  /** The kubeconfig of a client behind it. */
  configOf(config: KubeConfig): KubeConfig {
    const copy = new KubeConfig();
    copy.loadFromString(config.exportConfig());
    const { port } = this.#server.address() as AddressInfo;
    // A name that every API server's certificate has: its own may be an IP, which is no server name in TLS.
    const server = `https://127.0.0.1:${port}`;
    copy.clusters = copy.clusters.map((it) => ({ ...it, server, tlsServerName: 'kubernetes.default.svc' }));
    return copy;
  }

  /** Every open connection gets an RST. */
  reset(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.resetAndDestroy();
  }

  /** Nothing passes any more, and nobody is told. */
  stall(): void {
    this.#mode = 'stalled';
    for (const pair of this.#pairs) for (const socket of pair) socket.pause();
  }

  /** New connections end at once, as those to a dead load balancer. */
  refuse(): void {
    this.#mode = 'refusing';
    this.reset();
  }

  open(): void {
    this.#mode = 'open';
    for (const pair of this.#pairs) for (const socket of pair) socket.resume();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.reset();
  }

  #accept(near: Socket): void {
    this.accepted += 1;
    if (this.#mode === 'refusing') {
      near.resetAndDestroy();
      return;
    }
    const far = createConnection({ host: this.#target.hostname, port: Number(this.#target.port) });
    const pair = [near, far] as const;
    this.#pairs.add(pair);
    for (const [from, to] of [pair, [far, near] as const]) {
      from.on('data', (chunk) => to.write(chunk));
      from.on('error', () => to.resetAndDestroy());
      from.on('close', () => {
        this.#pairs.delete(pair);
        to.destroy();
      });
      from.on('end', () => to.end());
      if (this.#mode === 'stalled') from.pause();
    }
  }
}
