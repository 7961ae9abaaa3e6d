/** What a scan of the lines typed so far found. */
interface Scan {
  readonly openBrackets: number;
  readonly isInString: boolean;
  readonly endsWithBackslash: boolean;
  /** The last statement is a block: it begins with a line that ends with a colon, a decorator, or a compound statement on one line. */
  readonly hasBlock: boolean;
}

const compound = /^(async\s+(def|for|with)|def|class|if|elif|else|for|while|try|except|finally|with)\b.*:/s;

/** Follows brackets, strings and comments, as far as the question "is more to come?" needs it. */
function scan(source: string): Scan {
  let openBrackets = 0;
  let quote = '';
  let logical = '';
  let hasBlock = false;
  let endsWithBackslash = false;
  const endLogical = (): void => {
    const line = logical.trim();
    const isHead = line.endsWith(':') || line.startsWith('@') || compound.test(line);
    // A line at the margin that is no head ends the block before it: pasted code has such, typed code does not get that far.
    if (isHead) hasBlock = true;
    else if (/^\S/.test(logical)) hasBlock = false;
    logical = '';
  };
  for (let i = 0; i < source.length; i += 1) {
    const char = source.charAt(i);
    if (quote !== '') {
      if (char === '\\') i += 1;
      else if (source.startsWith(quote, i)) {
        i += quote.length - 1;
        quote = '';
      } else if (char === '\n' && quote.length === 1) {
        // An unterminated string is an error for the session to tell, not a reason to go on asking.
        quote = '';
        endLogical();
      }
      continue;
    }
    if (char === '#') {
      const end = source.indexOf('\n', i);
      i = (end < 0 ? source.length : end) - 1;
    } else if (char === '"' || char === "'") {
      quote = source.startsWith(char.repeat(3), i) ? char.repeat(3) : char;
      i += quote.length - 1;
      logical += '""';
    } else if (char === '\\' && (source[i + 1] === '\n' || i + 1 === source.length)) {
      endsWithBackslash = i + 1 === source.length;
      i += 1;
      logical += ' ';
    } else if (char === '\n' && openBrackets === 0) {
      endLogical();
    } else {
      if ('([{'.includes(char)) openBrackets += 1;
      if (')]}'.includes(char)) openBrackets = Math.max(0, openBrackets - 1);
      // A colon within brackets opens no block.
      logical += openBrackets > 0 && char === ':' ? ' ' : char;
    }
  }
  if (openBrackets === 0) endLogical();
  return { openBrackets, isInString: quote.length === 3, endsWithBackslash, hasBlock };
}

/**
 * Whether the prompt asks for another line, by Python's own rule for its prompt: brackets, triple quotes and a backslash continue, a block
 * goes on until an empty line (or, in what was pasted, a statement at the margin).
 */
export function isIncomplete(source: string): boolean {
  const { openBrackets, isInString, endsWithBackslash, hasBlock } = scan(source);
  if (openBrackets > 0 || isInString || endsWithBackslash) return true;
  return hasBlock && !/\n[ \t]*$/.test(source);
}
