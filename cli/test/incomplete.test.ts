import assert from 'node:assert/strict';
import { isIncomplete } from '../src/repl/incomplete.ts';

const table: [boolean, string, string][] = [
  [false, 'an expression', '1 + 1'],
  [false, 'nothing', ''],
  [true, 'an open bracket', 'f(1,'],
  [true, 'an open bracket after an empty line', 'f(1,\n\n'],
  [false, 'closed brackets over two lines', 'f(1,\n2)'],
  [false, 'a bracket in a string', 'print("(")'],
  [false, 'a bracket in a comment', 'x = 1  # (see below'],
  [true, 'open triple quotes', '"""begins'],
  [false, 'closed triple quotes', "'''begins\nends'''"],
  [true, 'open triple quotes that hold others', '"""a \'\'\' b'],
  [false, 'an escaped quote', String.raw`'it\'s'`],
  [false, 'an unterminated plain string, an error that the session tells', "x = 'oops"],
  [true, 'a backslash at the end', 'x = 1 + \\'],
  [false, 'a line continued by a backslash', 'x = 1 + \\\n2'],
  [true, 'the head of a block', 'for i in range(3):'],
  [true, 'a block without its empty line', 'for i in range(3):\n    print(i)'],
  [false, 'a block with its empty line', 'for i in range(3):\n    print(i)\n'],
  [false, 'a block ended by a line of spaces', 'if x:\n    y\n    '],
  [true, 'a compound statement on one line', 'if x: y'],
  [true, 'a decorator', '@cache'],
  [true, 'a decorated function', '@cache\ndef f():'],
  [false, 'a dictionary', 'd = {"a": 1}'],
  [false, 'a slice', 'x[1:2]'],
  [true, 'a function whose head spans lines', 'def f(\n  a,\n):'],
  [true, 'a block with a comment behind the colon', 'while True:  # for ever'],
  [false, 'an annotated variable', 'x: int = 3'],
  [true, 'an async function', 'async def f():'],
  [false, 'a name that begins like a keyword', 'iffy = {1: 2}'],
  [true, 'match', 'match x:'],
  [false, 'a statement at the margin behind a block, as pasted', 'def f():\n    x\n\n    y\n\nf()'],
  [true, 'a clause at the margin', 'if x:\n    y\nelse: z'],
  [true, 'the last of several blocks', 'if x: y\nz\nif x: y'],
  [false, 'a block and a comment at the margin, with its empty line', 'if x:\n    y\n# done\n'],
  [true, 'a block with an empty line in a docstring', 'def f():\n    """a\n\n'],
  [false, 'a variable named match', 'match = 3'],
];

describe('the prompt', () => {
  for (const [incomplete, what, source] of table) {
    it(`${incomplete ? 'asks for another line after' : 'runs'} ${what}`, () => {
      assert.equal(isIncomplete(source), incomplete);
    });
  }
});
