import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const ROOT = '/sys/fs/cgroup';
const V1_CONTROLLERS = ['memory', 'cpu', 'cpuacct', 'pids'];
/** More than a test makes. */
const MANY = 1000;
const SCRIPT = new URL('../pod/delegate', import.meta.url).pathname;

/**
 * The cgroup of a pod as a kubelet makes it, and its delegate: below a folder of this test in each hierarchy of this machine one for each
 * container. Touches nothing but that folder.
 */
export class PodCgroup implements AsyncDisposable {
  readonly version: 'v1' | 'v2' = versionHere();
  readonly #name: string;
  readonly #folder = mkdtempSync(join(tmpdir(), 'replpool-delegation-'));
  #delegate: ChildProcess | undefined;
  #containers = 0;

  constructor(name: string) {
    this.#name = name;
    chmodSync(this.#folder, 0o755);
    for (const pod of this.#pods) mkdirSync(pod);
    this.#enable('');
    this.#makeContainer('delegate');
  }

  /** Why there can be none here. */
  static get unavailable(): string | undefined {
    if (process.getuid?.() !== 0) return 'needs root, to make cgroups';
    const version = versionHere();
    try {
      for (const root of roots(version)) accessSync(root, constants.W_OK);
      const file = join(ROOT, 'cgroup.subtree_control');
      if (version === 'v2' && !/memory/.test(readFileSync(file, 'utf8'))) return `${file} has no memory`;
      return undefined;
    } catch (error) {
      return `needs cgroups that it may write: ${error instanceof Error ? error.message : error}`;
    }
  }

  /** Starts the delegate as its container does: root, with no other right of root's than to give files away. */
  async startDelegate(uid: number, cgroups = MANY): Promise<void> {
    await this.#stopDelegate();
    const rights = ['setpriv', '--bounding-set=-all,+chown', '--no-new-privs'];
    const enter = 'for file in $0; do echo $$ >"$file" || exit; done; exec "$@"';
    const args = ['-c', enter, this.#joins('delegate').join(' '), ...rights, SCRIPT];
    args.push(ROOT, this.#folder, `${uid}`, `${cgroups}`);
    const delegate = spawn('sh', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#delegate = delegate;
    for await (const line of createInterface({ input: delegate.stdout })) {
      if (line !== 'ready') continue;
      delegate.stdout.resume();
      return;
    }
    throw new Error('the delegate ended before it was ready');
  }

  /** A container of the agent that starts, with a cgroup of its own: what its process joins, and whom it asks. */
  startContainer(): { joins: string[]; delegation: string } {
    this.#containers += 1;
    this.#makeContainer(this.#container);
    return { joins: this.#joins(this.#container), delegation: this.#folder };
  }

  /** The path of a container's cgroup in its hierarchy: of the agent's, or of another. */
  pathOf(container = this.#container): string {
    return join('/', this.#name, container);
  }

  get delegation(): string {
    return this.#folder;
  }

  /** The cgroups of workers that there are, by their names. */
  get names(): string[] {
    const all = this.#pods.flatMap((pod) => {
      const sessions = join(pod, this.#container, 'sessions');
      return existsSync(sessions) ? readdirSync(sessions, { withFileTypes: true }) : [];
    });
    return [...new Set(all.filter((entry) => entry.isDirectory()).map((entry) => entry.name))];
  }

  /** A file of the only worker's cgroup. */
  read(controller: string, file: string): string {
    const pod =
      this.version === 'v2' ? this.#pods[0] : this.#pods.find((each) => each.startsWith(join(ROOT, controller, '/')));
    const [name, ...others] = this.names;
    if (pod === undefined || name === undefined || others.length > 0)
      throw new Error(`no single cgroup: ${this.names}`);
    return readFileSync(join(pod, this.#container, 'sessions', name, file), 'utf8');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stopDelegate();
    for (const pod of this.#pods) removeTree(pod);
    rmSync(this.#folder, { recursive: true });
  }

  get #container(): string {
    return `agent-${this.#containers}`;
  }

  get #pods(): string[] {
    return roots(this.version).map((root) => join(root, this.#name));
  }

  #makeContainer(name: string): void {
    for (const pod of this.#pods) mkdirSync(join(pod, name));
  }

  #enable(folder: string): void {
    if (this.version !== 'v2') return;
    for (const pod of this.#pods) writeFileSync(join(pod, folder, 'cgroup.subtree_control'), '+memory +cpu +pids');
  }

  #joins(container: string): string[] {
    return this.#pods.map((pod) => join(pod, container, 'cgroup.procs'));
  }

  /** Ends as the kubelet ends it, by SIGTERM. */
  async #stopDelegate(): Promise<void> {
    const delegate = this.#delegate;
    if (delegate === undefined) return;
    this.#delegate = undefined;
    const exited = once(delegate, 'exit');
    delegate.kill('SIGTERM');
    const [code] = await exited;
    if (code !== 0) throw new Error(`the delegate ended with ${code}`);
  }
}

/** As a container runtime does: the deepest first. */
function removeTree(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) removeTree(join(folder, entry.name));
  }
  rmdirSync(folder);
}

function versionHere(): 'v1' | 'v2' {
  return existsSync(join(ROOT, 'cgroup.controllers')) ? 'v2' : 'v1';
}

function roots(version: 'v1' | 'v2'): string[] {
  return version === 'v2' ? [ROOT] : V1_CONTROLLERS.map((controller) => join(ROOT, controller));
}
