import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { createSecureContext, type SecureContext } from 'node:tls';
import { type ApiClient, isRecord, pathOf, resources } from '@replpool/kube';
import { type AgentLinkMessage, INTERNAL_DRAIN_PATH, INTERNAL_STREAM_PATH, TLS_FILE_NAMES } from '@replpool/protocol';
import { PodAddresses } from './pod-addresses.ts';

const PORT = 8080;
/** As agents beat for who only counts. */
const HEARTBEAT_MS = 5_000;
const SLOTS = 32;

/**
 * A fake of the agents of all simulated pods: one server that answers at each pod's address as an agent without sessions does. It has the
 * certificate of whichever pool is asked for, as the pods have, so that the operator's connections are the real ones.
 */
export class SimulatedAgents implements AsyncDisposable {
  readonly #client: ApiClient;
  readonly #server: Server;
  readonly #pods: PodAddresses;
  readonly #contexts = new Map<string, Promise<SecureContext>>();
  readonly #streams = new Set<ServerResponse>();
  /** Addresses. */
  readonly #asked = new Set<string>();
  /** By address. */
  readonly #draining = new Set<string>();
  readonly #heartbeat: NodeJS.Timeout;

  private constructor(client: ApiClient) {
    this.#client = client;
    this.#pods = new PodAddresses(client);
    const SNICallback = (name: string, done: (error: Error | null, context?: SecureContext) => void): void => {
      this.#contextOf(name).then(
        (context) => done(null, context),
        (error: Error) => done(error),
      );
    };
    this.#server = createServer({ SNICallback }, (request, response) => this.#answer(request, response));
    const beat = line({ type: 'heartbeat' });
    this.#heartbeat = setInterval(() => {
      for (const stream of this.#streams) stream.write(beat);
    }, HEARTBEAT_MS);
  }

  static async start(client: ApiClient): Promise<SimulatedAgents> {
    const it = new SimulatedAgents(client);
    it.#server.listen(PORT, '0.0.0.0', 4_096);
    await once(it.#server, 'listening');
    return it;
  }

  /** How many told what they are, since an operator began to ask. */
  get asked(): number {
    return this.#asked.size;
  }

  /** Another operator begins. */
  forgetAsked(): void {
    this.#asked.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#heartbeat);
    this.#server.close();
    this.#server.closeAllConnections();
    await this.#pods[Symbol.asyncDispose]();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const address = request.socket.localAddress ?? '';
    const { pathname } = new URL(request.url ?? '', 'https://agent');
    if (pathname === INTERNAL_DRAIN_PATH) {
      this.#draining.add(address);
      response.end(JSON.stringify(capacity()));
      return;
    }
    if (pathname !== INTERNAL_STREAM_PATH) {
      response.writeHead(404).end();
      return;
    }
    const who = this.#pods.at(address);
    if (who === undefined) {
      // The pods' watch is a moment behind the operator's, which asks again.
      response.writeHead(503).end();
      return;
    }
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    const draining = this.#draining.has(address);
    const readiness = { ready: true, draining, capacity: capacity() };
    response.write(line({ type: 'snapshot', ...who, ...readiness, sessions: [] }));
    this.#streams.add(response);
    this.#asked.add(address);
    response.on('close', () => {
      this.#streams.delete(response);
      // The address may be another pod's next.
      this.#draining.delete(address);
    });
  }

  /** The certificate of a pool, from the Secret that its pods would have mounted. */
  #contextOf(name: string): Promise<SecureContext> {
    const known = this.#contexts.get(name);
    if (known !== undefined) return known;
    const read = this.#read(name);
    this.#contexts.set(name, read);
    read.catch(() => this.#contexts.delete(name));
    return read;
  }

  async #read(name: string): Promise<SecureContext> {
    const [pool, namespace = ''] = name.split('.');
    const secret = await this.#client.request({
      path: pathOf(resources.secrets, { namespace, name: `replpool-pool-${pool}-tls` }),
    });
    const data = isRecord(secret) && isRecord(secret.data) ? secret.data : {};
    const file = (key: string): string => Buffer.from(String(data[key]), 'base64').toString('utf8');
    return createSecureContext({ cert: file(TLS_FILE_NAMES.cert), key: file(TLS_FILE_NAMES.key) });
  }
}

function capacity() {
  return { sessions: SLOTS, active: 0, busy: 0, warm: 4, free: SLOTS, hits: 0, misses: 0 };
}

const line = (message: AgentLinkMessage): string => `${JSON.stringify(message)}\n`;
