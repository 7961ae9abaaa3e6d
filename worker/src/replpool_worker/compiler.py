"""Source to code: the last expression apart, `await` at the top level, source lines kept for tracebacks."""

import ast
import io
import linecache
import types
from dataclasses import dataclass

from .pieces import FUTURE_FLAGS, PIECE, head, is_exact, parse

AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
CO_COROUTINE = 0x80


@dataclass(frozen=True)
class Cell:
    """One compiled execution: statements, then the expression whose value is the result."""

    filename: str
    body: tuple[types.CodeType, ...]
    last: types.CodeType | None

    @property
    def codes(self) -> tuple[types.CodeType, ...]:
        """All parts, in the order in which they run."""
        return self.body if self.last is None else (*self.body, self.last)

    @property
    def is_async(self) -> bool:
        """Whether a part awaits at the top level."""
        return any(code.co_flags & CO_COROUTINE for code in self.codes)

    @property
    def defines_code(self) -> bool:
        """Whether functions, classes or lambdas of it may outlive it, and with them the need for its source."""
        return any(isinstance(constant, types.CodeType) for code in self.codes for constant in code.co_consts)


class Compiler:
    """Compiles cell after cell; `from __future__` holds for the later ones, as in an interactive Python."""

    def __init__(self, piece: int = PIECE) -> None:
        """`piece`: the length in characters above which a source is compiled piece by piece."""
        self._piece = piece
        self._flags = 0

    def register(self, source: str, number: int) -> str:
        """Give the source a unique file name, `<cell 3>`, under which tracebacks find its lines."""
        filename = f"<cell {number}>"
        again = 1
        while filename in linecache.cache:
            again += 1
            filename = f"<cell {number}.{again}>"
        text = source.encode("utf-8", "backslashreplace").decode("utf-8")
        # As linecache does with files: Python 3.11 puts carets one column off under a line without its end. Not
        # splitlines(), for which a form feed ends a line as well.
        lines = io.StringIO(text if text.endswith("\n") else f"{text}\n", newline=None).readlines()
        linecache.cache[filename] = (len(text), None, lines, filename)
        return filename

    def forget(self, filename: str) -> None:
        """Let go of a source whose code nothing can run any more."""
        linecache.cache.pop(filename, None)

    def compile(self, source: str, filename: str) -> Cell:
        """Raises SyntaxError; MemoryError and RecursionError for what is too deeply nested."""
        try:
            codes, last = self._parts(source, filename)
        except UnicodeEncodeError as error:
            line = source.count("\n", 0, error.start) + 1
            shown = f"U+{ord(source[error.start]):04X}"
            message = f"source code cannot contain the lone surrogate {shown}"
            raise SyntaxError(message, (filename, line, None, None)) from None
        except (SyntaxError, ValueError) as error:
            # Of NUL bytes some versions tell by a ValueError, some without a line.
            if isinstance(error, SyntaxError) and error.lineno is not None:
                if error.text is None and error.filename == filename:
                    # What is found behind the parser shows its line where that can be read from a file.
                    error.text = linecache.getline(filename, error.lineno) or None
                raise
            line = source.count("\n", 0, max(0, source.find("\0"))) + 1
            message = error.msg if isinstance(error, SyntaxError) else str(error)
            raise SyntaxError(message, (filename, line, 0, None)) from None
        cell = Cell(filename, tuple(codes), last)
        for code in cell.codes:
            self._flags |= code.co_flags & FUTURE_FLAGS
        return cell

    def _parts(self, source: str, filename: str) -> tuple[list[types.CodeType], types.CodeType | None]:
        # Ahead of all else: the place in an error is that in the source, not in a piece of it.
        source.encode()
        if len(source) > self._piece and "\0" not in source:
            flags = self._flags | AWAIT
            # As the parser itself does; what is counted is line feeds.
            codes, rest = head(source.replace("\r\n", "\n").replace("\r", "\n"), filename, flags, self._piece)
            if codes:
                for code in codes:
                    flags |= code.co_flags & FUTURE_FLAGS
                end, last = self._whole(rest, filename, flags)
                codes += end
                if is_exact(codes):
                    return codes, last
        return self._whole(source, filename, self._flags | AWAIT)

    def _whole(self, source: str, filename: str, flags: int) -> tuple[list[types.CodeType], types.CodeType | None]:
        tree = parse(source, filename, flags)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        body: ast.Module | str = tree
        value: ast.Expression | str | None = ast.Expression(last.value) if isinstance(last, ast.Expr) else None
        try:
            return self._pair(body, value, filename, flags)
        except RecursionError:
            # Of a tree Python takes a third of the depth that it takes of text: a thousand terms, or elif.
            body, value = _cut(source, last) if isinstance(last, ast.Expr) else (source, None)
            return self._pair(body, value, filename, flags)

    def _pair(
        self, body: ast.Module | str, value: ast.Expression | str | None, filename: str, flags: int
    ) -> tuple[list[types.CodeType], types.CodeType | None]:
        codes = []
        if isinstance(body, str) or body.body:
            codes.append(compile(body, filename, "exec", flags, dont_inherit=True))
            flags |= codes[0].co_flags & FUTURE_FLAGS
        return codes, None if value is None else compile(value, filename, "eval", flags, dont_inherit=True)


def _cut(source: str, last: ast.Expr) -> tuple[str, str]:
    """The texts ahead of the last expression, and of it, on its own lines and in its own columns."""
    assert last.end_lineno is not None
    assert last.end_col_offset is not None
    # Columns are bytes.
    lines = [line.encode() for line in source.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    body = [*lines[: last.lineno - 1], lines[last.lineno - 1][: last.col_offset]]
    value = lines[last.lineno - 1 : last.end_lineno]
    value[-1] = value[-1][: last.end_col_offset]
    value[0] = value[0][last.col_offset :]
    text = b"\n".join(value).decode()
    if last.col_offset:
        # Blanks alone would be an indent.
        text = "(" + " " * (last.col_offset - 1) + text + ")"
    return b"\n".join(body).decode(), "\n" * (last.lineno - 1) + text
