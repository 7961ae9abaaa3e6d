import type { Execution, SessionEvent } from '@replpool/protocol';

/** Names that were in a namespace and are no more, and why. */
export type LostNames = NonNullable<Extract<SessionEvent, { type: 'session' }>['lost']>;

/** A `session` event lists so many lost names. */
const LISTED = 1000;

/** The names that executions left in a session's namespace: what is lost with its worker. */
export class NamespaceNames {
  readonly #names: Set<string>;

  constructor(names: Iterable<string> = []) {
    this.#names = new Set(names);
  }

  apply(variables: Execution['variables']): void {
    for (const name of variables.added) this.#names.add(name);
    for (const name of variables.deleted) this.#names.delete(name);
  }

  /** As they are now. */
  copy(): NamespaceNames {
    return new NamespaceNames(this.#names);
  }

  /** Goes on with the names of `former`, and says which are gone. */
  goBack(former: NamespaceNames, why: string): LostNames {
    const lost = [...this.#names].filter((name) => !former.#names.has(name));
    this.#names.clear();
    for (const name of former.#names) this.#names.add(name);
    return lost.slice(0, LISTED).map((name) => ({ name, why }));
  }

  /** Forgets all of them, and says what was there. */
  lose(why: string): LostNames {
    return this.goBack(new NamespaceNames(), why);
  }
}
