"""A huge source compiled piece by piece.

Ten megabytes of one-line statements take `compile` seconds, in which no interrupt arrives, and 2.5 GB of memory. Pieces
take no longer together, and one of 256 KiB takes 0.2 s and 60 MB. A piece ends where a statement does, so that running
one after the other is running the whole; a source of which that does not hold is left whole.
"""

import __future__

import ast
import gc
import re
import types
from collections.abc import Iterator

FUTURE_FLAGS = 0
for _name in __future__.all_feature_names:
    FUTURE_FLAGS |= getattr(__future__, _name).compiler_flag
# Characters. A source up to this length is compiled whole.
PIECE = 256 * 1024
# Where a piece may begin: the line carries on no compound statement, is no string, which would become the `__doc__` of
# the piece, and no `from __future__`, which only the first one may have.
_BEGIN = re.compile(r"\n(?=[A-Za-z_@])(?!(?:elif|else|except|finally|from)\b|[bfrtuBFRTU]{1,2}['\"])")
_BLOCKS = (
    ast.If,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.With,
    ast.AsyncWith,
    ast.Try,
    getattr(ast, "TryStar", ast.Try),
    ast.ExceptHandler,
    ast.Match,
    ast.match_case,
)
# How far from the end the begin of the last statement is looked for.
_LAST = 4096


def parse(source: str, filename: str, flags: int) -> ast.Module:
    """The tree. Raises SyntaxError. The garbage collector rests: it would take most of the time of a big tree."""
    collects = gc.isenabled()
    try:
        gc.disable()
        tree = compile(source, filename, "exec", flags | ast.PyCF_ONLY_AST, dont_inherit=True)
    finally:
        if collects:
            gc.enable()
    assert isinstance(tree, ast.Module)
    return tree


def head(source: str, filename: str, flags: int, size: int) -> tuple[list[types.CodeType], str]:
    """Compile all but the end of a source longer than `size`. Returns the codes, and the rest, on its own lines.

    The rest has the last statement, and is all where there is nowhere to cut. Raises SyntaxError.
    """
    codes: list[types.CodeType] = []
    start = lines = 0
    while len(source) - start > size:
        for end in _ends(source, start, size):
            # The parser passes 50 million blank lines a second, so that the lines keep their numbers.
            code = _compile("\n" * lines + source[start:end], filename, flags)
            if code is not None:
                break
        else:
            break
        if _declares_global(source[start:end], filename, flags):
            return [], source
        codes.append(code)
        flags |= code.co_flags & FUTURE_FLAGS
        lines += source.count("\n", start, end)
        start = end
    rest = source[start:]
    return ([], source) if _declares_global(rest, filename, flags) else (codes, "\n" * lines + rest)


def is_exact(codes: list[types.CodeType]) -> bool:
    """Whether the codes are as good as one: Python 3.14 keeps a module's annotations in a function, of which each piece
    would define its own."""
    return sum("__annotate__" in code.co_names for code in codes) <= 1


def _compile(text: str, filename: str, flags: int) -> types.CodeType | None:
    """A piece; None where it may be the cut, within a string or a bracket, that is wrong. Raises SyntaxError."""
    try:
        code: types.CodeType = compile(text, filename, "exec", flags, dont_inherit=True)
    except SyntaxError as error:
        try:
            parse(text, filename, flags)
        except SyntaxError:
            return None
        # What parses was cut well, and is wrong.
        raise error from None
    return code


def _ends(source: str, start: int, size: int) -> Iterator[int]:
    """Where to try to cut: after `size` characters, then twice as many and so on, at last before the last line."""
    while start + size < len(source):
        found = _BEGIN.search(source, start + size)
        if found is None:
            break
        yield found.end()
        size = 2 * (found.end() - start)
    last = [found.end() for found in _BEGIN.finditer(source, max(start + 1, len(source) - _LAST))]
    yield from last[-1:]


def _declares_global(source: str, filename: str, flags: int) -> bool:
    """Whether a `global` stands outside of functions: there it is an error behind a use, of which a piece knows not."""
    if "global" not in source:
        return False
    try:
        todo: list[ast.AST] = [parse(source, filename, flags)]
    except SyntaxError:
        return True
    while todo:
        for node in ast.iter_child_nodes(todo.pop()):
            if isinstance(node, ast.Global):
                return True
            # Statements may stand in these; those in functions and classes are their own.
            if isinstance(node, _BLOCKS):
                todo.append(node)
    return False
