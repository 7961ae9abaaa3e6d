import { createHash, randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiClient, classify, pathOf, resources } from '@replpool/kube';
import { type Lifetimes, type OperatorConfig, runOperator } from '@replpool/operator';
import { type RouterConfig, TLS_FILE_NAMES, type TlsFiles } from '@replpool/protocol';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { kubeConfig } from './cluster.ts';
import { applyCrd } from './crd.ts';
import { image } from './images.ts';
import { Namespace } from './namespace.ts';
import { TestPool } from './pool.ts';
import { report } from './report.ts';
import { RouterClient } from './router-client.ts';
import { RouterProcess } from './router-process.ts';

const NAME = 'e2e';
const LOOK_MS = 50;
/** What is kept of what the operator said, for a report. */
const LOG_LINES = 500;
/** How long a router that was told to go may take; none of these has a proxy that would have to learn of it first. */
const DRAIN = { drainSeconds: 30, drainDelaySeconds: 0 };

/** Runs an operator of this configuration until it is disposed. @param write gets what it says */
export type Operate = (config: OperatorConfig, write: (line: string) => void) => Promise<AsyncDisposable>;

/**
 * In this process.
 * @param config where the API server is
 * @param lifetimes of its certificates
 */
export function inProcess(config = kubeConfig, lifetimes?: Lifetimes): Operate {
  return async (operatorConfig, write) => {
    const stop = new AbortController();
    const log = pino({ level: 'debug' }, { write });
    const running = runOperator(config, operatorConfig, log, new Registry(), stop.signal, lifetimes);
    return {
      [Symbol.asyncDispose]: async () => {
        stop.abort();
        await running;
      },
    };
  };
}

/**
 * A release for a test that takes its parts down: the operator in this process and routers as processes of this machine, serving one namespace of
 * their own, whose pods are the cluster's. What is the same with all parts in pods is tested with the chart.
 */
export class LocalRelease implements AsyncDisposable {
  readonly namespace: string;
  readonly client: ApiClient;
  readonly #key = randomBytes(24).toString('base64url');
  readonly #owned = new AsyncDisposableStack();
  readonly #operatorLog: string[] = [];
  readonly #routers: RouterProcess[] = [];
  #tls: TlsFiles | undefined;

  private constructor(namespace: Namespace) {
    this.namespace = this.#owned.use(namespace).name;
    this.client = this.#owned.use(new ApiClient(kubeConfig));
  }

  /** Resolves once there are pods' certificates to be had; routers and pools are the test's to make. */
  static async start(purpose: string, operate: Operate = inProcess()): Promise<LocalRelease> {
    const agentImage = await image('agent');
    await applyCrd();
    await using begun = new AsyncDisposableStack();
    const release = begun.use(new LocalRelease(await Namespace.create(purpose)));
    release.#owned.use(await release.#runOperator(operate, agentImage));
    release.#tls = await release.#writeCertificate();
    // From here on it is the caller's to end.
    begun.move();
    return release;
  }

  pool(name: string): TestPool {
    return new TestPool(this.client, this.namespace, name);
  }

  /**
   * Another router; resolves when it listens, which is before it is ready. It ends with the release at the latest.
   * @param tls its certificate, where that is not to stay as it was at the start of the release
   */
  async startRouter(tls = this.#tls): Promise<RouterProcess> {
    const sha256 = createHash('sha256').update(this.#key).digest('hex');
    const anyPort = { host: '127.0.0.1', port: 0 };
    const config: RouterConfig = {
      ...{ listen: anyPort, health: anyPort, ...DRAIN },
      auth: { mode: 'apiKeys', keys: [{ name: 'e2e', sha256 }] },
      discovery: { watchNamespace: this.namespace },
      agentTls: tls,
    };
    const router = this.#owned.use(await RouterProcess.start(`router-${this.#routers.length}`, config));
    this.#routers.push(router);
    return router;
  }

  clientOf(router: RouterProcess): RouterClient {
    return new RouterClient(router.url, this.#key);
  }

  /** Prints what helps to see why a test failed. */
  async report(): Promise<void> {
    await report(this.namespace);
    console.error(`--- the operator\n${this.#operatorLog.join('')}`);
    for (const router of this.#routers) console.error(`--- ${router.name}\n${router.log}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }

  #runOperator(operate: Operate, agentImage: string): Promise<AsyncDisposable> {
    const config: OperatorConfig = {
      ...{ namespace: this.namespace, watchNamespace: this.namespace, release: NAME, instance: NAME },
      ...{ agentImage, allowPrivileged: false, health: { host: '127.0.0.1', port: 0 } },
    };
    return operate(config, (line) => {
      this.#operatorLog.push(line);
      if (this.#operatorLog.length > LOG_LINES) this.#operatorLog.shift();
    });
  }

  /** The routers' certificate, which the operator makes, as their pods would have it. */
  async #writeCertificate(): Promise<TlsFiles> {
    const folder = await mkdtemp(join(tmpdir(), 'replpool-e2e-'));
    this.#owned.defer(() => rm(folder, { recursive: true }));
    await chmod(folder, 0o700);
    const data = await this.#secret(`${NAME}-router-tls`);
    for (const name of Object.values(TLS_FILE_NAMES)) {
      await writeFile(join(folder, name), Buffer.from(data[name] ?? '', 'base64'), { mode: 0o600 });
    }
    const { cert, key, ca } = TLS_FILE_NAMES;
    return { certFile: join(folder, cert), keyFile: join(folder, key), caFile: join(folder, ca) };
  }

  async #secret(name: string): Promise<Record<string, string>> {
    const path = pathOf(resources.secrets, { namespace: this.namespace, name });
    for (;;) {
      try {
        const secret = (await this.client.request({ path })) as { data?: Record<string, string> };
        return secret.data ?? {};
      } catch (error) {
        if (classify(error) !== 'NotFound') throw error;
      }
      await sleep(LOOK_MS);
    }
  }
}

/**
 * For the tests of one `describe`: a release of their own, and a report after each that fails.
 * @param operate how its operator runs
 * @returns the release, once they run
 */
export function withRelease(purpose: string, operate?: Operate): () => LocalRelease {
  let release: LocalRelease | undefined;
  before(async function () {
    // The image may have to be built first.
    this.timeout(600_000);
    release = await LocalRelease.start(purpose, operate);
  });
  afterEach(async function () {
    if (this.currentTest?.state === 'failed') await release?.report();
  });
  after(() => release?.[Symbol.asyncDispose]());
  return () => {
    if (release === undefined) throw new Error('the release was not started yet');
    return release;
  };
}
