import { constants, openSync, readSync } from 'node:fs';
import { Socket } from 'node:net';
import { hasErrno } from '@replpool/service';

/** As much as a worker asks the kernel to hold in its FIFO (F_SETPIPE_SZ); one read empties it. */
const PIPE_BYTES = 256 * 1024;
/** One for all pipes: what is read into it is delivered before the next read. */
const scratch: Buffer = Buffer.allocUnsafe(PIPE_BYTES);

/**
 * The agent's end of a worker's fd 1 or 2: a FIFO that the agent opened for reading before the worker opened it for writing.
 *
 * `drain()` is what makes "all output before `finished`" true without a timer: bytes that were in the FIFO when the worker sent its end
 * message are read at once, on this turn of the event loop, before that message is passed on.
 */
export class OutputPipe implements Disposable {
  readonly #fd: number;
  readonly #socket: Socket;
  readonly #deliver: (chunk: Buffer) => void;
  #ended = false;

  /**
   * @param path the FIFO; must exist
   * @param deliver gets each chunk; its memory is reused after the call returns
   */
  constructor(path: string, deliver: (chunk: Buffer) => void) {
    this.#deliver = deliver;
    // Read and write: with a writer of our own the FIFO never ends, neither before the worker opened it nor when user code closes fd 1.
    this.#fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    this.#socket = new Socket({
      fd: this.#fd,
      readable: true,
      writable: false,
      onread: {
        buffer: scratch,
        callback: (size, buffer) => {
          this.#deliver(Buffer.from(buffer.buffer, buffer.byteOffset, size));
          return true;
        },
      },
    });
    this.#socket.on('error', () => this.#socket.destroy());
    this.#socket.on('close', () => {
      this.#ended = true;
    });
  }

  /** Reads what stands in the FIFO now, at most as much as it can hold, so that a child that goes on writing cannot keep us here. */
  drain(): void {
    let taken = 0;
    while (!this.#ended && taken < PIPE_BYTES) {
      const size = this.#read();
      if (size <= 0) return;
      taken += size;
      this.#deliver(scratch.subarray(0, size));
      // A read of a pipe takes all there is; a short one means that it is empty, and saves the EAGAIN.
      if (size < scratch.length) return;
    }
  }

  #read(): number {
    try {
      return readSync(this.#fd, scratch, 0, scratch.length, null);
    } catch (error) {
      if (hasErrno(error, 'EAGAIN')) return 0;
      throw error;
    }
  }

  [Symbol.dispose](): void {
    if (!this.#ended) {
      this.#ended = true;
      this.#socket.destroy();
    }
  }
}
