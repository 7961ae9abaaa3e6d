import type { Execution, SessionEvent } from '@replpool/protocol';

type Lost = NonNullable<Extract<SessionEvent, { type: 'session' }>['lost']>;

/** A `session` event lists so many lost names. */
const LISTED = 1000;

/** The names that executions left in a session's namespace: what is lost with its worker. */
export class NamespaceNames {
  readonly #names = new Set<string>();

  apply(variables: Execution['variables']): void {
    for (const name of variables.added) this.#names.add(name);
    for (const name of variables.deleted) this.#names.delete(name);
  }

  /** Forgets all of them, and says what was there. */
  lose(why: string): Lost {
    const lost = [...this.#names].slice(0, LISTED).map((name) => ({ name, why }));
    this.#names.clear();
    return lost;
  }
}
