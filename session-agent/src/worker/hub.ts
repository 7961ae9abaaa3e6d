import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { answerHello, HELLO_TIMEOUT_MS, workerHelloSchema } from '@replpool/protocol';
import { type Frame, FrameLink } from './link.ts';

/** What the owner of a token does with the link of the worker that came with it. */
export interface Expected {
  /** Called before the hello is answered: the FIFOs must be open for reading by then. */
  connected(link: FrameLink): void;
  frame(frame: Frame): void;
  closed(error: Error | undefined): void;
}

/** The unix socket on which forked workers say hello; each token admits one worker once. */
export class WorkerHub {
  readonly path: string;
  readonly #server: Server;
  readonly #expected = new Map<string, Expected>();

  private constructor(path: string) {
    this.path = path;
    this.#server = createServer((socket) => this.#greet(socket));
  }

  static async listen(path: string): Promise<WorkerHub> {
    const hub = new WorkerHub(path);
    hub.#server.listen(path);
    await once(hub.#server, 'listening');
    return hub;
  }

  expect(token: string, expected: Expected): Disposable {
    this.#expected.set(token, expected);
    return { [Symbol.dispose]: () => void this.#expected.delete(token) };
  }

  close(): void {
    this.#server.close();
  }

  #greet(socket: Socket): void {
    let owner: Expected | undefined;
    const deadline = setTimeout(() => socket.destroy(), HELLO_TIMEOUT_MS);
    const link = new FrameLink(socket, socket, {
      hello: (raw) => {
        clearTimeout(deadline);
        const hello = workerHelloSchema.parse(raw);
        const claimed = hello.token === undefined ? undefined : this.#expected.get(hello.token);
        if (!claimed) return link.refuse('FORBIDDEN', 'no worker is expected with this token');
        if (hello.token !== undefined) this.#expected.delete(hello.token);
        owner = claimed;
        const answer = answerHello(hello);
        if (answer.type === 'refused') return link.refuse(answer.code, answer.message);
        claimed.connected(link);
        link.answerHello(answer, answer.codec);
      },
      frame: (frame) => owner?.frame(frame),
      closed: (error) => {
        clearTimeout(deadline);
        owner?.closed(error);
      },
    });
  }
}
