import type { ClientMessage, ServerMessage, SessionEvent } from '@replpool/protocol';
import type { RouterClient } from './router-client.ts';

/** A channel of a session as a user has it, and the events that came on it. */
export class ChannelClient implements Disposable {
  readonly events: SessionEvent[] = [];
  /** Resolves with the code of the close. */
  readonly closed: Promise<number>;
  readonly #socket: WebSocket;
  #arrived = Promise.withResolvers<void>();

  /** @param from the last event that the user has */
  constructor(client: RouterClient, session: string, from = 0) {
    this.#socket = client.channel(session, from);
    this.#socket.addEventListener('message', ({ data }) => this.#take(JSON.parse(String(data)) as ServerMessage));
    this.closed = new Promise((resolve) => {
      this.#socket.addEventListener('close', ({ code }) => {
        resolve(code);
        this.#arrived.reject(new Error(`the channel was closed with ${code}`));
      });
    });
    // Who waits for no event learns of the end by `closed`.
    this.#arrived.promise.catch(() => undefined);
  }

  /** The number of the last event that came; 0 before the first. */
  get seq(): number {
    return this.events.at(-1)?.seq ?? 0;
  }

  /** Resolves with the first event that is such a one, once it has come. @throws Error where the channel is closed before */
  async event(isIt: (event: SessionEvent) => boolean): Promise<SessionEvent> {
    for (;;) {
      const found = this.events.find(isIt);
      if (found) return found;
      await this.#arrived.promise;
    }
  }

  send(message: ClientMessage): void {
    this.#socket.send(JSON.stringify(message));
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }

  #take(message: ServerMessage): void {
    if (!('seq' in message) || message.type === 'hello') return;
    this.events.push(message);
    const before = this.#arrived;
    this.#arrived = Promise.withResolvers<void>();
    this.#arrived.promise.catch(() => undefined);
    before.resolve();
  }
}
