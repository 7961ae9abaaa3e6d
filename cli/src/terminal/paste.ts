/** Terminals put these round pasted text (bracketed paste), so that its line ends are not taken for Enter. */
export const pasteOn = '\x1b[?2004h';
export const pasteOff = '\x1b[?2004l';

/** A line of a pasted text, and whether the text goes on behind it. */
export interface PastedLine {
  readonly text: string;
  readonly goesOn: boolean;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is taken out
const controls = /[\x00-\x08\x0b-\x1f\x7f]/g;

/** What was pasted, line by line; control characters in it would drive the terminal and are left out. */
export function pastedLines(text: string): PastedLine[] {
  const lines = text.replaceAll(/\r\n?/g, '\n').replaceAll(controls, '').split('\n');
  return lines.map((line, n) => ({ text: line, goesOn: n < lines.length - 1 }));
}
