/** The lines of a text that comes in chunks. Each character is looked at once, however many chunks a line comes in. */
export class Lines {
  readonly #longest: number;
  #begun: string[] = [];
  #length = 0;

  /** @param longest how many characters a line may have, also one whose end has not come */
  constructor(longest: number) {
    this.#longest = longest;
  }

  /**
   * The lines that this chunk ends, one by one, so that whoever reads may stop between them.
   * @throws RangeError where a line is too long
   */
  *push(chunk: string): Generator<string, void, undefined> {
    let start = 0;
    for (let end = chunk.indexOf('\n'); end !== -1; end = chunk.indexOf('\n', start)) {
      this.#add(chunk.slice(start, end));
      start = end + 1;
      const line = this.#begun.join('');
      this.#begun = [];
      this.#length = 0;
      yield line;
    }
    this.#add(chunk.slice(start));
  }

  #add(part: string): void {
    this.#length += part.length;
    if (this.#length > this.#longest) throw new RangeError(`a line is longer than ${this.#longest} characters`);
    this.#begun.push(part);
  }
}
