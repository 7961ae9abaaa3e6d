"""Compiling by pieces is compiling the whole."""

import inspect
import sys
import types
from importlib import import_module

import pytest

from replpool_worker.compiler import Cell, Compiler
from replpool_worker.pieces import head, is_exact

# Small, that a source of some thousand lines is a huge one.
PIECE = 2048
MODULES = [
    "argparse",
    "ast",
    "asyncio.base_events",
    "collections",
    "configparser",
    "csv",
    "dataclasses",
    "datetime",
    "difflib",
    "enum",
    "functools",
    "heapq",
    "inspect",
    "ipaddress",
    "logging",
    "pathlib",
    "pickle",
    "pickletools",
    "shutil",
    "statistics",
    "tarfile",
    "textwrap",
    "threading",
    "tokenize",
    "traceback",
    "typing",
    "unittest.mock",
    "zipfile",
]


def constant(value: object) -> str:
    """What a constant is. Two sets that are equal may have their elements in another order, by the seed of hashes."""
    return f"frozenset {sorted(map(repr, value))}" if isinstance(value, frozenset) else repr(value)


def shape(code: types.CodeType) -> list[object]:
    """What a code does, but for instructions: a call on a name that the same code imports has others, as cheap ones."""
    nested = [shape(one) if isinstance(one, types.CodeType) else constant(one) for one in code.co_consts]
    names = (code.co_name, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    return [names, code.co_firstlineno, code.co_flags, lines([code]), nested]


def inner(codes: list[types.CodeType]) -> list[list[object]]:
    """The shapes of the functions and classes of module codes."""
    return [shape(constant) for code in codes for constant in code.co_consts if isinstance(constant, types.CodeType)]


def lines(codes: list[types.CodeType]) -> list[int]:
    """The lines on which codes do something."""
    return sorted({line for code in codes for _, _, line in code.co_lines() if line})


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("size", [1, 20_000])
def test_a_module_by_pieces_does_what_the_whole_does(name: str, size: int) -> None:
    source = inspect.getsource(import_module(name))
    whole = compile(source, "<cell 1>", "exec", dont_inherit=True)
    codes, rest = head(source, "<cell 1>", 0, size)
    codes.append(compile(rest, "<cell 1>", "exec", dont_inherit=True))
    assert len(codes) > 1 or size > 1
    if not is_exact(codes):
        assert sys.version_info >= (3, 14)
        return
    assert inner(codes) == inner([whole])
    assert {*lines(codes), 1} == {*lines([whole]), 1}


def huge(*tail: str) -> str:
    """A source of more than one piece, and its end."""
    return "x = 1\n" * 1_000 + "".join(tail)


def run(cell: Cell, names: dict[str, object]) -> object:
    for code in cell.body:
        exec(code, names)
    return None if cell.last is None else eval(cell.last, names)


@pytest.mark.parametrize(
    ("tail", "value"),
    [
        ("x + 1\n", 2),
        ("y = 5", None),
        ("y = 5; x + 6 # the end\n\n", 7),
        ("'a'\n'b'", "b"),
        ("(\nx\n+\n1\n)", 2),
        ("'''\nx = 5\nx = 6\n'''", "\nx = 5\nx = 6\n"),
        ("if x:\n    y = 1\nelse:\n    y = 2\ny", 1),
        ("try:\n    1 / 0\nexcept ZeroDivisionError:\n    y = 3\nfinally:\n    y += 1\ny", 4),
        ("z = '''" + "x = 1\n" * 3_000 + "'''\nlen(z)", 18_000),
        ("z = [" + "x,\n" * 5_000 + "]\nlen(z)", 5_000),
        ("z = [" + "x,\n" * 5_000 + "]", None),
        ("def f():\n" + "    x = 3\n" * 3_000 + "    return x\nf(), x", (3, 1)),
        ("@lambda f: 8\ndef f(): pass\nf", 8),
        ("y = x +\\\nx\ny", 2),
        ("__doc__", "text"),
        ("import sys\nsys._getframe().f_lineno", 1_003),
        ("x \\\n+ 1\r\n", 2),
    ],
)
def test_a_huge_source_gives_what_the_whole_would(tail: str, value: object) -> None:
    compiler = Compiler(PIECE)
    cell = compiler.compile("'text'\n" + huge(tail), "<cell 1>")
    assert len(cell.body) > 1
    assert run(cell, {}) == value


@pytest.mark.parametrize(
    "source",
    [
        "return 1\n" + huge(),
        huge("return 1\n", huge()),
        huge("y = (\n"),
        "y = (\n" + huge(),
        huge("y = '''\n", huge()),
        huge("from __future__ import annotations\n", huge()),
        huge("global x\n"),
        huge("if x:\n  global x\n", huge()),
        huge("try: pass\nexcept ValueError:\n  while x:\n    global x\n", huge()),
        huge("z = 1 1\n"),
        huge("else:\n", huge()),
        huge("def f():\nreturn 1", huge()),
        huge("  y = 5\n", huge()),
        huge("'a' = 5"),
        huge("y = x +\\"),
    ],
)
def test_a_huge_source_fails_as_the_whole_does(source: str) -> None:
    with pytest.raises(SyntaxError) as caught:
        Compiler(PIECE).compile(source, "<cell 1>")
    with pytest.raises(SyntaxError) as whole:
        compile(source, "<cell 1>", "exec", dont_inherit=True)
    assert str(caught.value) == str(whole.value)
    assert caught.value.args == whole.value.args


@pytest.mark.parametrize(("tail", "message"), [("y = 5\0\n", "null byte"), ("y = '\ud800'\n", "lone surrogate")])
def test_what_no_source_may_hold_is_told_with_its_line(tail: str, message: str) -> None:
    with pytest.raises(SyntaxError, match=message) as caught:
        Compiler(PIECE).compile(huge(tail), "<cell 1>")
    assert caught.value.lineno == 1_001


def test_a_global_of_a_function_keeps_no_source_whole() -> None:
    source = huge("def f():\n    global x\n    x = 2\nclass A:\n    global y\n    y = 3\nf(); x, y")
    cell = Compiler(PIECE).compile(source, "<cell 1>")
    assert len(cell.body) > 1
    assert run(cell, {}) == (2, 3)


def test_a_future_import_holds_for_all_pieces_and_what_follows() -> None:
    compiler = Compiler(PIECE)
    names: dict[str, object] = {}
    source = "from __future__ import annotations\n" + huge("def f(a: Nowhere): pass\n", huge("f.__annotations__"))
    assert run(compiler.compile(source, "<cell 1>"), names) == {"a": "Nowhere"}
    assert run(compiler.compile("def g(a: Nowhere): pass\ng.__annotations__", "<cell 2>"), names) == {"a": "Nowhere"}


def test_a_source_that_does_not_compile_changes_nothing_for_later_ones() -> None:
    compiler = Compiler(PIECE)
    with pytest.raises(SyntaxError):
        compiler.compile("from __future__ import annotations\nx = 1\n(yield)", "<cell 1>")
    with pytest.raises(NameError):
        run(compiler.compile("x: Nowhere = 1\n__annotations__", "<cell 2>"), {})
