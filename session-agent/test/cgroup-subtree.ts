import {
  accessSync,
  chownSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

const ROOT = '/sys/fs/cgroup';
const V1_CONTROLLERS = ['memory', 'cpu', 'cpuacct', 'pids'];

/**
 * What an init container leaves for an agent: `sessions` beside the agent's own cgroup, below a folder of this test in each hierarchy of
 * this machine. Touches nothing but that folder.
 */
export class CgroupSubtree implements Disposable {
  readonly version: 'v1' | 'v2';
  readonly #bases: readonly string[];

  constructor(name: string) {
    this.version = existsSync(join(ROOT, 'cgroup.controllers')) ? 'v2' : 'v1';
    this.#bases = roots(this.version).map((root) => join(root, name));
    for (const base of this.#bases) {
      mkdirSync(base);
      if (this.version === 'v2') writeFileSync(join(base, 'cgroup.subtree_control'), '+memory +cpu +pids');
      for (const folder of ['agent', 'sessions']) mkdirSync(join(base, folder));
    }
  }

  /** Why there can be none here. */
  static get unavailable(): string | undefined {
    if (process.getuid?.() !== 0) return 'needs root, to make cgroups';
    const version = existsSync(join(ROOT, 'cgroup.controllers')) ? 'v2' : 'v1';
    try {
      for (const root of roots(version)) accessSync(root, constants.W_OK);
      const file = join(ROOT, 'cgroup.subtree_control');
      if (version === 'v2' && !/memory/.test(readFileSync(file, 'utf8'))) return `${file} has no memory`;
      return undefined;
    } catch (error) {
      return `needs cgroups that it may write: ${error instanceof Error ? error.message : error}`;
    }
  }

  /** What a process writes itself into to be the agent. */
  get joins(): string[] {
    return this.#bases.map((base) => join(base, 'agent', 'cgroup.procs'));
  }

  /** Gives it to a user, as an init container does for an agent without rights. */
  delegateTo(uid: number): void {
    // What a move between cgroups below the pod's needs on v2; v1 asks for the rights on the target only.
    const files =
      this.version === 'v2' ? ['cgroup.procs', 'sessions/cgroup.procs', 'sessions/cgroup.subtree_control'] : [];
    for (const base of this.#bases) {
      for (const path of ['sessions', ...files]) chownSync(join(base, path), uid, uid);
    }
  }

  /** The cgroups of workers that there are, by their names. */
  get names(): string[] {
    const all = this.#bases.flatMap((base) =>
      readdirSync(join(base, 'sessions'), { withFileTypes: true }).filter((entry) => entry.isDirectory()),
    );
    return [...new Set(all.map((entry) => entry.name))];
  }

  /** A file of the only worker's cgroup. */
  read(controller: string, file: string): string {
    const base =
      this.version === 'v2' ? this.#bases[0] : this.#bases.find((each) => each.startsWith(join(ROOT, controller, '/')));
    const [name, ...others] = this.names;
    if (base === undefined || name === undefined || others.length > 0)
      throw new Error(`no single cgroup: ${this.names}`);
    return readFileSync(join(base, 'sessions', name, file), 'utf8');
  }

  [Symbol.dispose](): void {
    for (const base of this.#bases) {
      for (const folder of ['agent', 'sessions', '']) rmdirSync(join(base, folder));
    }
  }
}

function roots(version: 'v1' | 'v2'): string[] {
  return version === 'v2' ? [ROOT] : V1_CONTROLLERS.map((controller) => join(ROOT, controller));
}
