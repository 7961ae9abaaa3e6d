"""Source to code: the last expression apart, `await` at the top level, source lines kept for tracebacks."""

import __future__

import ast
import linecache
import types
from dataclasses import dataclass

FUTURE_FLAGS = 0
for _name in __future__.all_feature_names:
    FUTURE_FLAGS |= getattr(__future__, _name).compiler_flag
AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
CO_COROUTINE = 0x80


@dataclass(frozen=True)
class Cell:
    """One compiled execution: statements, then the expression whose value is the result."""

    filename: str
    body: types.CodeType | None
    last: types.CodeType | None

    @property
    def is_async(self) -> bool:
        """Whether a part awaits at the top level."""
        return any(code is not None and code.co_flags & CO_COROUTINE for code in (self.body, self.last))

    @property
    def defines_code(self) -> bool:
        """Whether functions, classes or lambdas of it may outlive it, and with them the need for its source."""
        codes = (code for code in (self.body, self.last) if code is not None)
        return any(isinstance(constant, types.CodeType) for code in codes for constant in code.co_consts)


class Compiler:
    """Compiles cell after cell; `from __future__` holds for the later ones, as in an interactive Python."""

    def __init__(self) -> None:
        self._flags = 0

    def register(self, source: str, number: int) -> str:
        """Give the source a unique file name, `<cell 3>`, under which tracebacks find its lines."""
        filename = f"<cell {number}>"
        again = 1
        while filename in linecache.cache:
            again += 1
            filename = f"<cell {number}.{again}>"
        text = source.encode("utf-8", "backslashreplace").decode("utf-8")
        # As linecache does with files: Python 3.11 puts carets one column off under a line without its end.
        lines = (text if text.endswith("\n") else f"{text}\n").splitlines(keepends=True)
        linecache.cache[filename] = (len(text), None, lines, filename)
        return filename

    def forget(self, filename: str) -> None:
        """Let go of a source whose code nothing can run any more."""
        linecache.cache.pop(filename, None)

    def compile(self, source: str, filename: str) -> Cell:
        """Raises SyntaxError; MemoryError and RecursionError for what is too deeply nested."""
        flags = self._flags | AWAIT
        try:
            tree = compile(source, filename, "exec", flags | ast.PyCF_ONLY_AST, dont_inherit=True)
            assert isinstance(tree, ast.Module)
            last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
            body = compile(tree, filename, "exec", flags, dont_inherit=True) if tree.body else None
            if body is not None:
                self._flags |= body.co_flags & FUTURE_FLAGS
                flags |= self._flags
            value = None
            if isinstance(last, ast.Expr):
                value = compile(ast.Expression(last.value), filename, "eval", flags, dont_inherit=True)
        except UnicodeEncodeError as error:
            line = source.count("\n", 0, error.start) + 1
            shown = f"U+{ord(source[error.start]):04X}"
            message = f"source code cannot contain the lone surrogate {shown}"
            raise SyntaxError(message, (filename, line, None, None)) from None
        except (SyntaxError, ValueError) as error:
            # Of NUL bytes some versions tell by a ValueError, some without a line.
            if isinstance(error, SyntaxError) and error.lineno is not None:
                raise
            line = source.count("\n", 0, max(0, source.find("\0"))) + 1
            message = error.msg if isinstance(error, SyntaxError) else str(error)
            raise SyntaxError(message, (filename, line, 0, None)) from None
        return Cell(filename, body, value)
