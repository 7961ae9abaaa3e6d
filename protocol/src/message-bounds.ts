/** A message nests at most so deep; what is deeper would end in a stack overflow somewhere behind the decoder. */
export const MAX_NESTING = 512;

/**
 * A message has at most so many values. An empty map is one byte in a frame and 56 in memory: without a bound one
 * frame of 64 MiB takes gigabytes, and each million a fifth of a second of a loop that all sessions share.
 */
export const MAX_VALUES = 2_097_152;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** Bytes behind the first of 0xc0 to 0xdf that are the value or its length; undefined: not of our messages. */
const WIDTHS: readonly (number | undefined)[] = [
  ...[0, undefined, 0, 0, 1, 2, 4, undefined, undefined, undefined, 4, 8, 1, 2, 4, 8],
  ...[1, 2, 4, 8, undefined, undefined, undefined, undefined, undefined, 1, 2, 4, 2, 4, 2, 4],
];

/**
 * Why a msgpack message is not to be decoded; undefined: it is whole and within bounds. No extension is part of our
 * messages: msgpackr would make sets, errors, expressions and references that point back out of them.
 */
export function msgpackOutOfBounds(bytes: Uint8Array): string | undefined {
  /** How many values each open container still gets, the innermost last. */
  const open = [1];
  let values = 0;
  let at = 0;
  for (;;) {
    while (open.at(-1) === 0) open.pop();
    const innermost = open.length - 1;
    if (innermost < 0) return at === bytes.length ? undefined : 'it ends before its bytes do';
    open[innermost] = (open[innermost] ?? 0) - 1;
    const first = bytes[at];
    if (first === undefined) return 'it is cut off';
    at += 1;
    values += 1;
    /** Of a container. */
    let children: number | undefined;
    if (first >= 0xc0 && first <= 0xdf) {
      const width = WIDTHS[first - 0xc0];
      if (width === undefined) return `it has the byte 0x${first.toString(16)}, which is of no value of ours`;
      if (at + width > bytes.length) return 'it is cut off';
      if (first >= 0xdc) children = readLength(bytes, at, width) * (first >= 0xde ? 2 : 1);
      else if (first >= 0xd9 || (first >= 0xc4 && first <= 0xc6)) at += readLength(bytes, at, width);
      at += width;
    } else if (first >= 0xa0 && first < 0xc0) at += first & 0x1f;
    else if (first >= 0x90 && first < 0xa0) children = first & 0x0f;
    else if (first >= 0x80 && first < 0x90) children = (first & 0x0f) * 2;
    if (at > bytes.length || (children ?? 0) > bytes.length - at) return 'it is cut off';
    if (values + (children ?? 0) > MAX_VALUES) return `it has more than ${MAX_VALUES} values`;
    if (children === undefined) continue;
    if (open.length > MAX_NESTING) return `it nests deeper than ${MAX_NESTING}`;
    if (children > 0) open.push(children);
  }
}

function readLength(bytes: Uint8Array, at: number, width: number): number {
  let length = 0;
  for (let i = at; i < at + width; i += 1) length = length * 256 + (bytes[i] ?? 0);
  return length;
}

/** Why JSON is not to be parsed, before any of it is; undefined: it is within bounds, if it is JSON at all. */
export function jsonOutOfBounds(bytes: Uint8Array): string | undefined {
  let depth = 0;
  let values = 1;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (byte === QUOTE) at = endOfString(bytes, at);
    else if (byte === 0x2c) values += 1;
    else if (byte === 0x5b || byte === 0x7b) {
      depth += 1;
      values += 1;
    } else if (byte === 0x5d || byte === 0x7d) depth -= 1;
    if (depth > MAX_NESTING) return `it nests deeper than ${MAX_NESTING}`;
    if (values > MAX_VALUES) return `it has more than ${MAX_VALUES} values`;
  }
  return undefined;
}

/** Where the string ends that begins at `start`; the end of the bytes where it does not. */
function endOfString(bytes: Uint8Array, start: number): number {
  for (let at = start + 1; ; at += 1) {
    at = bytes.indexOf(QUOTE, at);
    if (at < 0) return bytes.length;
    let backslashes = 0;
    while (bytes[at - 1 - backslashes] === BACKSLASH) backslashes += 1;
    if (backslashes % 2 === 0) return at;
  }
}
