import type { ServerResponse } from 'node:http';
import type { ReplPoolError } from '@replpool/protocol';
import { sendProblem } from '@replpool/service';

/** The answers under way. */
export class Answers {
  readonly #open = new Set<ServerResponse>();
  #last = false;

  begin(res: ServerResponse): void {
    this.#open.add(res);
    if (this.#last) res.shouldKeepAlive = false;
  }

  end(res: ServerResponse): void {
    this.#open.delete(res);
  }

  /** From now on each answer is the last on its connection, and says so. */
  closeConnections(): void {
    this.#last = true;
    for (const res of this.#open) if (!res.headersSent) res.shouldKeepAlive = false;
  }

  /** Answers whatever has no head yet. */
  refuse(error: ReplPoolError): void {
    for (const res of this.#open) if (!res.headersSent) sendProblem(res, error);
  }
}
