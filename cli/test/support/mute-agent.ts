import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { type AgentEndpoint, INTERNAL_STREAM_PATH } from '@replpool/protocol';

/** A real agent whose stream tells of no session, as if it lied in its answers, or each were faster than it. */
export class MuteAgent implements AsyncDisposable {
  readonly endpoint: AgentEndpoint;
  readonly #server: Server;

  private constructor(server: Server, behind: AgentEndpoint) {
    this.#server = server;
    this.endpoint = { ...behind, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  }

  static async start(behind: AgentEndpoint): Promise<MuteAgent> {
    const server = createServer((req, res) => pass(behind.url, req, res)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new MuteAgent(server, behind);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server.close(), 'close');
    this.#server.closeAllConnections();
    await closed;
  }
}

function pass(url: string, req: IncomingMessage, res: ServerResponse): void {
  const { method, headers } = req;
  const onward = request(url + req.url, { method, headers, agent: false }, (answer) => {
    answer.on('error', () => res.destroy());
    res.writeHead(answer.statusCode ?? 502, answer.headers);
    if (req.url !== INTERNAL_STREAM_PATH) {
      answer.pipe(res);
      return;
    }
    const lines = createInterface({ input: answer });
    lines.on('error', () => res.destroy());
    lines.on('line', (line) => {
      const message = JSON.parse(line) as { type: string };
      if (message.type === 'session') return;
      res.write(`${JSON.stringify(message.type === 'snapshot' ? { ...message, sessions: [] } : message)}\n`);
    });
  });
  onward.on('error', () => res.destroy());
  res.on('close', () => onward.destroy());
  req.pipe(onward);
}
