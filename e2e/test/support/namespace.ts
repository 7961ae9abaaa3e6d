import { randomBytes } from 'node:crypto';
import { kubectl } from './kubectl.ts';

/** A namespace of its own that enforces restricted pods; deleted at the end, with all that is in it. */
export class Namespace implements AsyncDisposable {
  readonly name: string;

  private constructor(name: string) {
    this.name = name;
  }

  static async create(purpose: string): Promise<Namespace> {
    const name = `e2e-${purpose}-${randomBytes(3).toString('hex')}`;
    await kubectl('create', 'namespace', name);
    await kubectl('label', 'namespace', name, 'pod-security.kubernetes.io/enforce=restricted');
    return new Namespace(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await kubectl('delete', 'namespace', this.name, '--wait=false');
  }
}
