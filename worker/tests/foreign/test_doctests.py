"""Doctests of the standard library in a session, by doctest and example by example, as under a plain `python3`.

What the interpreter does not ship, or what has no examples in its version, is skipped and says so.
"""

from pathlib import Path

import pytest

from agent import Launcher
from foreign.cells import run_as_cells
from foreign.compare import unexplained
from foreign.known_differences import KNOWN
from foreign.plain import run_plain
from foreign.worker_session import WorkerSession

OUTCOMES = Path(__file__).with_name("outcomes.py").read_text()
SECONDS = 60.0
# What needs no network, no display and no terminal.
MODULES = [
    "_pydecimal",
    "_threading_local",
    "asyncio.timeouts",
    "builtins",
    "collections",
    "decimal",
    "difflib",
    "doctest",
    "enum",
    "fractions",
    "hashlib",
    "heapq",
    "http.cookiejar",
    "http.cookies",
    "importlib.metadata",
    "ipaddress",
    "itertools",
    "json",
    "json.encoder",
    "math",
    "pdb",
    "pickle",
    "pickletools",
    "pydoc",
    "secrets",
    "shutil",
    "statistics",
    "textwrap",
    "typing",
    "unittest.mock",
    "uuid",
    "zipfile",
    "zipfile._path",
]
# CPython's own tests that are transcripts; they try statement forms and their errors.
TESTS = [
    "test.test_descrtut",
    "test.test_extcall",
    "test.test_generators",
    "test.test_genexps",
    "test.test_listcomps",
    "test.test_metaclass",
    "test.test_setcomps",
    "test.test_syntax",
    "test.test_unpack",
    "test.test_unpack_ex",
]


@pytest.mark.parametrize("module", [*MODULES, *TESTS])
def test_doctests(launcher: Launcher, module: str, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("plain", "session", "cells")]
    for folder in folders:
        folder.mkdir()
    try_import = f"""
try:
    examples, why = transcripts({module!r}), 'it has no doctests in this version of Python'
except ImportError as error:
    examples, why = [], f'this Python does not ship it: {{error}}'
"""
    ask = f"[examples, why, run_doctests({module!r}) if examples else {{}}]"
    examples, why, plain = run_plain(OUTCOMES + try_import, ask, folders[0], SECONDS)
    if not examples:
        pytest.skip(f"{module}: {why}")
    session = WorkerSession(launcher, folders[1])
    try:
        inside = session.value(OUTCOMES, f"run_doctests({module!r})", SECONDS)
    finally:
        session.delete()
    cells, texts = run_as_cells(launcher, module, examples, folders[2])
    lines = unexplained(module, plain, inside, KNOWN)
    lines += unexplained(f"{module}, as executions", plain, cells, KNOWN)
    assert not lines, "\n".join([*lines, *(f"{name}: {text}" for name, text in texts.items())])
