import type { CreateSession, TransactionPolicy, Undone } from '@replpool/protocol';
import type { HttpClient } from './http-client.ts';
import type { Message, Outcome } from './message.ts';

/** A session that is deleted at the end of its scope. */
export class BenchSession implements AsyncDisposable {
  readonly id: string;
  readonly pod: string;
  readonly #http: HttpClient;

  private constructor(http: HttpClient, id: string, pod: string) {
    this.#http = http;
    this.id = id;
    this.pod = pod;
  }

  static async create(http: HttpClient, body: CreateSession = {}): Promise<BenchSession> {
    const { id, pod } = await http.createSession(body);
    return new BenchSession(http, id, pod);
  }

  execute(code: string, policy?: TransactionPolicy): Promise<Outcome> {
    return this.#http.execute(this.id, code, policy);
  }

  /** So many live copies of it. */
  async fork(count: number): Promise<BenchSession[]> {
    const copies = await this.#http.forkSession(this.id, count);
    return copies.map(({ id, pod }) => new BenchSession(this.#http, id, pod));
  }

  /** Goes back to before the last so many executions. */
  undo(executions: number): Promise<Undone> {
    return this.#http.undo(this.id, executions);
  }

  stream(code: string, heard: (message: Message) => void): Promise<void> {
    return this.#http.stream(this.id, code, heard);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http.deleteSession(this.id);
  }
}

/** So many sessions asked for at once. All belong to `scope`, also where one of them is refused, which is thrown in the end. */
export async function createSessions(
  http: HttpClient,
  scope: AsyncDisposableStack,
  count: number,
  body: CreateSession = {},
): Promise<BenchSession[]> {
  const asked = Array.from({ length: count }, async () => scope.use(await BenchSession.create(http, body)));
  return (await Promise.allSettled(asked)).map((each) => {
    if (each.status === 'rejected') throw each.reason;
    return each.value;
  });
}
