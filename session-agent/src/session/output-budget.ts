import type { OutputStream } from '../worker/outputs.ts';

/** An execution's own `stdout` and `stderr` hold so many bytes each; what became events is all there. */
const KEPT_BYTES = 1024 * 1024;

/** Counts one execution's output against `outputBytes` and keeps its beginning. */
export class OutputBudget {
  readonly #kept: Record<OutputStream, string[]> = { stdout: [], stderr: [] };
  readonly #keptRoom: Record<OutputStream, number> = { stdout: KEPT_BYTES, stderr: KEPT_BYTES };
  /** Bytes left out of `stdout` and `stderr`. */
  readonly truncated: Record<OutputStream, number> = { stdout: 0, stderr: 0 };
  #room: number;
  #warned = false;

  /** @param limit bytes of output and displays together that become events */
  constructor(limit: number) {
    this.#room = limit;
  }

  /** @returns what to send of `text`, and whether the limit was reached just now */
  take(stream: OutputStream, text: string): { send: string; hitLimit: boolean } {
    const size = Buffer.byteLength(text);
    const whole = size <= this.#room;
    const send = whole ? text : cutToBytes(text, this.#room);
    const kept = this.#keep(stream, send, whole ? size : Buffer.byteLength(send));
    this.truncated[stream] += size - kept;
    return { send, hitLimit: this.#spend(whole, size) };
  }

  /** @returns whether a display of so many bytes may be sent, and whether the limit was reached just now */
  takeDisplay(size: number): { send: boolean; hitLimit: boolean } {
    const send = size <= this.#room;
    return { send, hitLimit: this.#spend(send, size) };
  }

  text(stream: OutputStream): string {
    return this.#kept[stream].join('');
  }

  /** Once something did not fit, nothing later is taken, or the output would have a hole. */
  #spend(whole: boolean, size: number): boolean {
    this.#room = whole ? this.#room - size : 0;
    if (whole || this.#warned) return false;
    this.#warned = true;
    return true;
  }

  #keep(stream: OutputStream, text: string, size: number): number {
    const room = this.#keptRoom[stream];
    if (room === 0) return 0;
    const part = size <= room ? text : cutToBytes(text, room);
    const taken = size <= room ? size : Buffer.byteLength(part);
    this.#kept[stream].push(part);
    this.#keptRoom[stream] = size <= room ? room - size : 0;
    return taken;
  }
}

/** The longest beginning of so many bytes at most, without half a code point. */
function cutToBytes(text: string, bytes: number): string {
  if (bytes === 0) return '';
  const buffer = Buffer.from(text);
  let end = bytes;
  while (end > 0 && ((buffer[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return buffer.toString('utf8', 0, end);
}
