/** Cuts a stream of text into its lines. */
export class Lines {
  readonly #parts: string[] = [];

  /** @returns the lines that this chunk completes, without their newlines */
  push(chunk: string): string[] {
    // A line may be far longer than a chunk: it is put together once, when its end is there.
    if (!chunk.includes('\n')) {
      if (chunk !== '') this.#parts.push(chunk);
      return [];
    }
    const lines = (this.#parts.splice(0).join('') + chunk).split('\n');
    const rest = lines.pop();
    if (rest) this.#parts.push(rest);
    return lines;
  }

  /** Whether a line has begun and not ended. */
  get unfinished(): boolean {
    return this.#parts.length > 0;
  }
}
