import { join } from 'node:path';
import {
  ENVIRONMENT_FOLDERS,
  type EnvironmentReference,
  ReplPoolError,
  referenceOfSource,
  referenceOfVariable,
} from '@replpool/protocol';
import { messageOf } from '@replpool/service';
import { readValues } from './read-values.ts';
import { type EnvironmentSpec, resolveEnvironment, type Values } from './resolve.ts';

/** Variables of a new session; null is one that its zygote has and the session has not. */
export type SessionVariables = Readonly<Record<string, string | null>>;

/** The variables of a template's sessions, as the Secrets and ConfigMaps that they come from are at the moment. */
export class Environment {
  readonly #spec: EnvironmentSpec;
  readonly #folder: string | undefined;
  readonly #references: readonly EnvironmentReference[];
  /** All names that a zygote of the template ever had. */
  readonly #inherited = new Set<string>();

  /** @param folder has those objects, by `ENVIRONMENT_FOLDERS`; without one there are none */
  constructor(spec: EnvironmentSpec, folder: string | undefined) {
    this.#spec = spec;
    this.#folder = folder;
    const found = [...spec.envFrom.map(referenceOfSource), ...spec.env.map(referenceOfVariable)];
    this.#references = found.filter((reference) => reference !== undefined);
  }

  /** What a zygote is started with. @throws ReplPoolError WORKER_FAILED */
  async ofZygote(): Promise<Readonly<Record<string, string>>> {
    const variables = await this.#read();
    for (const name of Object.keys(variables)) this.#inherited.add(name);
    return variables;
  }

  /** What a new session has in place of what its zygote was started with. @throws ReplPoolError WORKER_FAILED */
  async ofSession(): Promise<SessionVariables> {
    // All as the zygote has it, and for ever so.
    if (this.#references.length === 0) return {};
    const gone = [...this.#inherited].map((name) => [name, null] as const);
    return { ...Object.fromEntries(gone), ...(await this.#read()) };
  }

  async #read(): Promise<Record<string, string>> {
    const values = new Map<string, Values>();
    for (const { kind, name } of this.#references) {
      const object = join(ENVIRONMENT_FOLDERS[kind], name);
      if (this.#folder === undefined || values.has(object)) continue;
      values.set(
        object,
        await readValues(join(this.#folder, object)).catch((cause) => {
          throw new ReplPoolError('WORKER_FAILED', `${kind} ${name} cannot be read: ${messageOf(cause)}`, { cause });
        }),
      );
    }
    return resolveEnvironment(
      this.#spec,
      ({ kind, name }) => values.get(join(ENVIRONMENT_FOLDERS[kind], name)) ?? new Map(),
    );
  }
}
