import { isRecord, type KubeObject } from '@replpool/kube';
import { type Answered, FakeApiServer } from '../../kube/test/fake-api-server.ts';

/** An API server that keeps objects by their paths, as far as creating, applying, replacing and deleting them goes. */
export class FakeObjects implements AsyncDisposable {
  readonly server: FakeApiServer;
  readonly #objects = new Map<string, KubeObject>();
  #version = 0;
  /** Answers in place of the store where it is not undefined. */
  refuse: (method: string, path: string) => Answered | undefined = () => undefined;

  private constructor(server: FakeApiServer) {
    this.server = server;
    server.answer = ({ pathname }, { method = '' }, body) => {
      const refused = this.refuse(method, pathname);
      if (refused) return refused;
      const asked: unknown = body === '' ? {} : JSON.parse(body);
      return this.#serve(method, pathname, isRecord(asked) ? asked : {});
    };
  }

  static async start(): Promise<FakeObjects> {
    return new FakeObjects(await FakeApiServer.start());
  }

  get(path: string): KubeObject | undefined {
    return this.#objects.get(path);
  }

  /** As the garbage collector does where their owner is gone. */
  forgetAll(): void {
    this.#objects.clear();
  }

  /** As somebody else does. */
  put(path: string, object: object): KubeObject {
    const before = this.#objects.get(path);
    const wanted = isRecord(object) && isRecord(object.metadata) ? object.metadata : {};
    this.#version += 1;
    const uid = before?.metadata.uid ?? `uid-${this.#version}`;
    const metadata = { ...wanted, name: path.split('/').at(-1) ?? '', uid, resourceVersion: `${this.#version}` };
    const put = { ...object, metadata };
    this.#objects.set(path, put);
    return put;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
  }

  #serve(method: string, pathname: string, asked: Record<string, unknown>): Answered | undefined {
    const metadata = isRecord(asked.metadata) ? asked.metadata : {};
    const path = method === 'POST' ? `${pathname}/${String(metadata.name)}` : pathname;
    const there = this.#objects.get(path);
    const conflict = (reason: string): Answered => ({ status: 409, body: { reason } });
    switch (method) {
      case 'GET':
        return there ? { body: there } : this.#list(pathname);
      case 'POST':
        return there ? conflict('AlreadyExists') : { body: this.put(path, asked) };
      case 'DELETE': {
        const { uid, resourceVersion: version } = isRecord(asked.preconditions) ? asked.preconditions : {};
        if (there === undefined) return undefined;
        if (uid !== undefined && uid !== there.metadata.uid) return conflict('Conflict');
        if (version !== undefined && version !== there.metadata.resourceVersion) return conflict('Conflict');
        this.#objects.delete(path);
        return { body: {} };
      }
      default:
        if (metadata.uid !== undefined && metadata.uid !== there?.metadata.uid) return conflict('Conflict');
        if (there?.immutable === true) return { status: 422, body: { reason: 'Invalid' } };
        return { body: this.put(path, asked) };
    }
  }

  #list(folder: string): Answered | undefined {
    // A path with the name of an object that is not there.
    if (folder.split('/').at(-2) !== 'team') return undefined;
    const items = [...this.#objects].filter(([path]) => path.startsWith(`${folder}/`)).map(([, object]) => object);
    return { body: { items } };
  }
}
