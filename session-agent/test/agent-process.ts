import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type ReplPoolSpecInput, replPoolSpecSchema } from '@replpool/protocol';
import { agentMain, agentNodeOptions } from '../src/index.ts';
import { AgentClient, TOKEN } from './agent-client.ts';
import { python } from './python.ts';
import { asUser, type UserPython } from './user-python.ts';

/** An agent as a process of its own. */
export class AgentProcess extends AgentClient implements AsyncDisposable {
  readonly #child: ChildProcess;

  private constructor(url: string, child: ChildProcess) {
    super(url);
    this.#child = child;
  }

  /**
   * Resolves when the zygotes are warm.
   * @param options.disk bytes of a file system of its own that holds the run directory; needs user namespaces
   * @param options.joins the cgroup.procs files of the cgroups that it is started in
   * @param options.environment has the objects that variables come from
   * @param options.delegation where the delegate of its pod is asked
   * @param options.user whose process it is, without any rights of root's
   * @param options.hidesCgroups whether it sees them from a cgroup namespace of its own, as in a container of containerd on v2
   */
  static async start(
    spec: ReplPoolSpecInput,
    options: {
      disk?: number;
      joins?: readonly string[];
      delegation?: string;
      environment?: string;
      hidesCgroups?: boolean;
      user?: UserPython & { uid: number };
    } = {},
  ): Promise<AgentProcess> {
    const folder = mkdtempSync(join(tmpdir(), 'replpool-'));
    const config = {
      pool: 'default',
      pod: 'default-0',
      listen: { host: '127.0.0.1', port: 0 },
      token: TOKEN,
      spec: replPoolSpecSchema.parse(spec),
      python: options.user?.python ?? python(),
      runDirectory: join(folder, 'run'),
      delegation: options.delegation,
      environment: options.environment,
    };
    const node = [process.execPath, ...agentNodeOptions, '--conditions=source', agentMain];
    const mount = `mount -t tmpfs -o size=${options.disk} tmpfs ${folder} && exec "$@"`;
    const own =
      options.disk === undefined
        ? node
        : ['unshare', '--user', '--map-root-user', '--mount', 'sh', '-c', mount, 'sh', ...node];
    const namespace = options.hidesCgroups ? 'unshare --cgroup' : '';
    const user = options.user === undefined ? '' : asUser(options.user.uid).join(' ');
    if (options.user !== undefined) chownSync(folder, options.user.uid, options.user.uid);
    const enter = `for file in $0; do echo $$ >"$file" || exit; done; exec ${namespace} ${user} "$@"`;
    const [command = '', ...args] =
      options.joins === undefined ? own : ['sh', '-c', enter, options.joins.join(' '), ...own];
    const child = spawn(command, args, {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { ...process.env, ...options.user?.env },
    });
    child.stdin.write(`${JSON.stringify(config)}\n`);
    for await (const line of createInterface({ input: child.stdout })) {
      const said = JSON.parse(line) as { event: string; port?: number; message?: string };
      if (said.event === 'failed') {
        child.stdin.end();
        throw new Error(said.message);
      }
      if (said.event === 'listening') config.listen.port = said.port ?? 0;
      if (said.event === 'ready') return new AgentProcess(`http://127.0.0.1:${config.listen.port}`, child);
    }
    throw new Error('the agent ended before it was ready');
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Ends it as the kernel does where memory runs out: it has no time for anything. */
  async kill(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }

  /** Bytes of memory that the process holds. */
  get residentBytes(): number {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.#child.pid}/status`, 'utf8'))?.[1]) * 1024;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.stdin?.end();
    await exited;
  }
}
