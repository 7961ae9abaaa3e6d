import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Dispatcher } from 'undici';
import type { Agent } from './agent.ts';
import { responseHeaders } from './forward-headers.ts';

export interface Forwarded {
  readonly method: string;
  readonly path: string;
  readonly headers: string[];
  readonly body: Buffer | IncomingMessage | null;
  /** Until the response begins; 0: as long as it takes. */
  readonly headersTimeoutMs: number;
  /** Answers with this status are kept back for the caller to decide, not sent to the client. */
  readonly holds?: (status: number) => boolean;
}

export type Outcome =
  /** The client has the whole answer. */
  | { readonly kind: 'sent'; readonly status: number }
  | { readonly kind: 'held'; readonly status: number; readonly headers: string[]; readonly body: Buffer }
  /** Nothing reached the client. `unsent`: nothing reached the agent either. */
  | { readonly kind: 'failed'; readonly error: Error; readonly unsent: boolean }
  /** The client is gone, or the answer broke off under way and the client's connection with it. */
  | { readonly kind: 'broken'; readonly error: Error };

/** Of an answer that is kept back. */
const HELD_LIMIT = 16 * 1024 * 1024;

class ClientGone extends Error {
  override readonly name = 'ClientGone';
}

/**
 * Sends one request to an agent and its answer to the client, streaming both ways with backpressure. Never twice: what
 * to do about a failure is the caller's.
 */
export function forward(agent: Agent, request: Forwarded, res: ServerResponse): Promise<Outcome> {
  return new Promise((resolve) => {
    const exchange = new Exchange(agent, request, res, resolve);
    const { method, path, headers, body } = request;
    const options = { method, path, headers, body, headersTimeout: request.headersTimeoutMs };
    try {
      agent.http.dispatch(options, exchange);
    } catch (error) {
      exchange.fail(error instanceof Error ? error : new Error(String(error)));
    }
  });
}

class Exchange implements Dispatcher.DispatchHandler {
  readonly #request: Forwarded;
  readonly #res: ServerResponse;
  readonly #resolve: (outcome: Outcome) => void;
  readonly #forget: () => void;
  #controller: Dispatcher.DispatchController | undefined;
  #abortedBy: Error | undefined;
  #held: Buffer[] | undefined;
  #heldBytes = 0;
  #status = 0;
  #headers: string[] = [];
  #settled = false;

  constructor(agent: Agent, request: Forwarded, res: ServerResponse, resolve: (outcome: Outcome) => void) {
    this.#request = request;
    this.#res = res;
    this.#resolve = resolve;
    this.#forget = agent.whileUp((why) => this.#abort(why));
    res.on('close', this.#clientClosed);
    if (res.closed) this.#clientClosed();
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#abortedBy !== undefined) controller.abort(this.#abortedBy);
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (status < 200) return;
    this.#status = status;
    this.#headers = responseHeaders(headers);
    if (this.#request.holds?.(status)) {
      this.#held = [];
      return;
    }
    const res = this.#res;
    res.writeHead(status, this.#headers);
    res.on('drain', () => controller.resume());
    // A stream's head goes out now, even if its first event is far off; a whole answer goes out with its head in one packet.
    if (headers['content-length'] === undefined) process.nextTick(() => res.flushHeaders());
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#held !== undefined) this.#hold(this.#held, chunk);
    else if (!this.#res.write(chunk)) controller.pause();
  }

  #hold(held: Buffer[], chunk: Buffer): void {
    this.#heldBytes += chunk.length;
    if (this.#heldBytes <= HELD_LIMIT) held.push(chunk);
    else this.#abort(new Error(`the agent’s answer is larger than ${HELD_LIMIT} bytes`));
  }

  onResponseEnd(): void {
    if (this.#held !== undefined) {
      this.#settle({ kind: 'held', status: this.#status, headers: this.#headers, body: Buffer.concat(this.#held) });
      return;
    }
    this.#res.end();
    this.#settle({ kind: 'sent', status: this.#status });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.fail(error);
  }

  fail(thrown: Error): void {
    const error = this.#abortedBy ?? thrown;
    if (error instanceof ClientGone) this.#settle({ kind: 'broken', error });
    else if (this.#res.headersSent) {
      // Without its end the client must not take the answer for whole.
      this.#res.destroy();
      this.#settle({ kind: 'broken', error });
    } else this.#settle({ kind: 'failed', error, unsent: this.#controller === undefined });
  }

  readonly #clientClosed = (): void => {
    if (!this.#res.writableFinished) this.#abort(new ClientGone('the client went away'));
  };

  #abort(reason: Error): void {
    if (this.#settled) return;
    this.#abortedBy ??= reason;
    this.#controller?.abort(reason);
  }

  #settle(outcome: Outcome): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#forget();
    this.#res.off('close', this.#clientClosed);
    this.#resolve(outcome);
  }
}
