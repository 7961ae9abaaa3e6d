import type { MimeBundle } from '@replpool/protocol';

/** An outcome is kept in memory; all of its displays are in the events. */
const DISPLAYS = 100;
const BYTES = 8 * 1024 * 1024;

interface Kept {
  readonly id: string | undefined;
  bundle: MimeBundle;
  size: number;
}

/** What an execution shows at its end: displays as they were updated last, without those that were cleared. */
export class KeptDisplays {
  #kept: Kept[] = [];
  #room = BYTES;
  #clearsNext = false;

  /**
   * @param id by which it may be updated
   * @param size bytes of its JSON
   */
  show(bundle: MimeBundle, id: string | undefined, size: number): void {
    this.outputComes();
    if (this.#kept.length >= DISPLAYS || size > this.#room) return;
    this.#room -= size;
    this.#kept.push({ id, bundle, size });
  }

  /** Replaces all that has this id. */
  update(bundle: MimeBundle, id: string | undefined, size: number): void {
    for (const each of this.#kept.filter((one) => id !== undefined && one.id === id)) {
      if (size - each.size > this.#room) continue;
      this.#room -= size - each.size;
      each.bundle = bundle;
      each.size = size;
    }
  }

  /** @param wait until the next output comes, so that nothing flickers */
  clear(wait: boolean): void {
    this.#clearsNext = wait;
    if (wait) return;
    this.#kept = [];
    this.#room = BYTES;
  }

  outputComes(): void {
    if (this.#clearsNext) this.clear(false);
  }

  list(): MimeBundle[] {
    return this.#kept.map(({ bundle }) => bundle);
  }
}
