import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiClient } from '@replpool/kube';
import type { TlsFiles } from '@replpool/protocol';
import type { TlsMaterial } from '@replpool/service';
import { MountedTls } from '../../../cli/test/support/mounted-tls.ts';
import { tlsOf } from './agent-client.ts';

const LOOK_MS = 200;

/** A Secret's certificate in a folder of this machine, brought up to date as a kubelet does, only sooner. */
export class MirroredSecret implements AsyncDisposable {
  readonly #mounted: MountedTls;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  private constructor(mounted: MountedTls, read: () => Promise<TlsMaterial>) {
    this.#mounted = mounted;
    this.#running = this.#follow(read);
  }

  /** @throws ApiError where it is not there */
  static async open(client: ApiClient, namespace: string, name: string): Promise<MirroredSecret> {
    const read = () => tlsOf(client, namespace, name);
    return new MirroredSecret(await MountedTls.create(await read()), read);
  }

  get files(): TlsFiles {
    return this.#mounted.files;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.#mounted[Symbol.asyncDispose]();
  }

  async #follow(read: () => Promise<TlsMaterial>): Promise<void> {
    let before = '';
    while (!this.#stop.signal.aborted) {
      // One that was deleted stays mounted as it was.
      const now = await read().catch(() => undefined);
      if (now !== undefined && JSON.stringify(now) !== before) await this.#mounted.update(now);
      before = now === undefined ? before : JSON.stringify(now);
      await sleep(LOOK_MS);
    }
  }
}
