import { CommandFailure } from '../../failure.ts';

export interface FoundObjects {
  /** Path in the bundle. */
  readonly path: string;
  readonly objects: readonly unknown[];
}

export interface FoundText {
  readonly path: string;
  readonly text: string;
}

/** Of all texts together: what is more is left out, and said. */
const TEXT_BYTES = 128 * 1024 * 1024;

/** What a report has gathered, as it is: nothing of it leaves before it is redacted, which needs all of it. */
export class Findings {
  readonly objects: FoundObjects[] = [];
  readonly texts: FoundText[] = [];
  /** What could not be read, or was left out. */
  readonly errors: string[] = [];
  #bytes = 0;

  /** What `read` gives; undefined where it could not be had, which is noted. Defects of ours are not caught. */
  async attempt<T>(what: string, read: () => Promise<T>): Promise<T | undefined> {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof CommandFailure)) throw error;
      this.errors.push(`${what}: ${error.message}${error.how === undefined ? '' : `\n  ${error.how}`}`);
      return undefined;
    }
  }

  addObjects(path: string, objects: readonly unknown[]): void {
    if (objects.length > 0) this.objects.push({ path, objects });
  }

  addText(path: string, text: string): void {
    if (text === '') return;
    if (this.#bytes + text.length > TEXT_BYTES) {
      this.errors.push(`${path}: left out, for the report is large already`);
      return;
    }
    this.#bytes += text.length;
    this.texts.push({ path, text });
  }
}
