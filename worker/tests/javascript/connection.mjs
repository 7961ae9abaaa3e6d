// Frames and numbering of docs/worker-protocol.md, for a worker or launcher in JavaScript.
import { Packr } from 'msgpackr';

export const EX_SOFTWARE = 70;
export const EX_PROTOCOL = 76;
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;
const HELLO_MS = 10_000;
const CODECS = ['msgpack', 'json'];
const packr = new Packr({ useRecords: false, int64AsType: 'auto', skipValues: [undefined], variableMapSize: true });

/** The other side broke the protocol. */
export class ProtocolError extends Error {}

/** The agent refused this process, or said nothing. */
export class Refused extends Error {}

function encode(message, codec) {
  const body = codec === 'msgpack' ? packr.pack(message) : Buffer.from(JSON.stringify(message, binaryAsBase64));
  if (body.length > MAX_MESSAGE_BYTES) throw new RangeError(`a message of ${body.length} bytes is longer than a frame`);
  const header = Buffer.alloc(4);
  header.writeUInt32BE(body.length);
  return Buffer.concat([header, body]);
}

function binaryAsBase64(key, value) {
  const raw = this[key];
  return raw instanceof Uint8Array ? Buffer.from(raw).toString('base64') : value;
}

function decode(body, codec) {
  let message;
  try {
    const text = () => new TextDecoder('utf-8', { fatal: true }).decode(body);
    message = codec === 'msgpack' ? packr.unpack(body) : JSON.parse(text());
  } catch (cause) {
    throw new ProtocolError(`a frame that is not ${codec}: ${cause.message}`, { cause });
  }
  const isMap = typeof message === 'object' && message !== null && Object.getPrototypeOf(message) === Object.prototype;
  if (!isMap) throw new ProtocolError('a frame whose message is no map');
  return message;
}

/** One side of a numbered connection over streams. `closed(error)` is called once; without an error at the end of file. */
export class Connection {
  #input;
  #output;
  #events;
  #chunks = [];
  #size = 0;
  #codec = 'json';
  #greeted = false;
  #closed = false;
  #sent = 0;
  #received = 0;

  /** @param events `{greeted(), frame(message), closed(error)}` */
  constructor(input, output, hello, events) {
    this.#input = input;
    this.#output = output;
    this.#events = events;
    const late = setTimeout(() => this.#close(new Refused('no hello within 10 s')), HELLO_MS);
    this.greeted = () => clearTimeout(late);
    input.on('data', (chunk) => this.#receive(chunk));
    input.on('end', () => {
      if (!this.#greeted) this.#close(new Refused('the agent closed the connection without a hello'));
      else this.#close(this.#size > 0 ? new ProtocolError('end of file inside a frame') : undefined);
    });
    for (const stream of new Set([input, output])) stream.on('error', () => this.#close());
    output.write(encode({ type: 'hello', protocol: [1], codecs: CODECS, ...hello }, 'json'));
  }

  /** Numbers the message and sends it. @throws RangeError where it is longer than a frame; it then has no number */
  send(message) {
    if (this.#closed) return;
    const frame = encode({ ...message, n: this.#sent + 1, ack: this.#received }, this.#codec);
    this.#sent += 1;
    this.#output.write(frame);
  }

  #receive(chunk) {
    try {
      this.#chunks.push(chunk);
      this.#size += chunk.length;
      for (let body = this.#take(); body !== undefined && !this.#closed; body = this.#take()) {
        const message = decode(body, this.#codec);
        if (this.#greeted) this.#numbered(message);
        else this.#greet(message);
      }
    } catch (error) {
      this.#close(this.#greeted ? error : new Refused(`no hello of an agent: ${error.message}`));
    }
  }

  /** The body of the next frame that is whole; undefined where there is none. */
  #take() {
    if (this.#size < 4) return undefined;
    if (this.#chunks[0].length < 4) this.#chunks = [Buffer.concat(this.#chunks)];
    const length = this.#chunks[0].readUInt32BE();
    if (length === 0 || length > MAX_MESSAGE_BYTES) throw new ProtocolError(`a frame of ${length} bytes`);
    if (this.#size < 4 + length) return undefined;
    const all = this.#chunks.length === 1 ? this.#chunks[0] : Buffer.concat(this.#chunks);
    this.#chunks = all.length > 4 + length ? [all.subarray(4 + length)] : [];
    this.#size = all.length - 4 - length;
    return all.subarray(4, 4 + length);
  }

  #greet({ type, protocol, codec, code, message }) {
    if (type === 'refused') throw new Refused(`the agent refused this worker (${code}): ${message}`);
    if (type !== 'hello' || protocol !== 1) throw new Refused(`no common protocol version: 1 here, there ${protocol}`);
    if (!CODECS.includes(codec)) throw new Refused(`no common codec: ${CODECS} here, there ${codec}`);
    this.#codec = codec;
    this.#greeted = true;
    this.greeted();
    this.#events.greeted();
  }

  #numbered(message) {
    const { type, n } = message;
    if (typeof type !== 'string' || !Number.isInteger(n) || n < 1) {
      throw new ProtocolError('a frame without a number or a type');
    }
    if (n <= this.#received) return;
    if (n !== this.#received + 1) throw new ProtocolError(`frame ${n} after frame ${this.#received}`);
    this.#received = n;
    this.#events.frame(message);
  }

  #close(error) {
    if (this.#closed) return;
    this.#closed = true;
    this.greeted();
    this.#input.destroy();
    this.#events.closed(error);
  }
}

/** The exit status that says how a connection ended; why is said on fd 2. */
export function statusOf(error) {
  if (error === undefined) return 0;
  process.stderr.write(`worker.mjs: ${error.message}\n`);
  return error instanceof Refused ? EX_PROTOCOL : EX_SOFTWARE;
}
