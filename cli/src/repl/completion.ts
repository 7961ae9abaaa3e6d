import type { Completion } from '@replpool/protocol';

const indent = '    ';

/**
 * What readline needs for a tab on the last line of `source`: the candidates, and the text on that line that they replace. With nothing but
 * space before the cursor a tab indents.
 */
export async function completionsOf(
  before: string,
  line: string,
  ask: (code: string, cursor: number) => Promise<Completion | undefined>,
): Promise<[string[], string]> {
  if (line.trim() === '') return [[indent], ''];
  const points = [...(before + line)];
  const found = await ask(before + line, points.length);
  if (found === undefined) return [[], line];
  const typed = points.slice(found.cursorStart).join('');
  return [found.matches.filter((match) => match.toLowerCase().startsWith(typed.toLowerCase())), typed];
}
