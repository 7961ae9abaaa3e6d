"""CPython's own tests, in a session of a real service as under a plain `python3`; where the interpreter ships them."""

from pathlib import Path

import pytest

from foreign.both import assert_same_where_shipped
from foreign.service import Service

pytestmark = pytest.mark.foreign

MODULES = [
    "test.test_asyncio.test_queues",
    "test.test_asyncio.test_tasks",
    "test.test_contextlib",
    "test.test_dataclasses",
    "test.test_json",
    "test.test_re",
    "test.test_threading",
    "test.test_asyncio.test_runners",
    "test.test_asyncio.test_subprocess",
    "test.test_builtin",
    "test.test_code",
    "test.test_context",
    "test.test_contextlib_async",
    "test.test_coroutines",
    "test.test_doctest",
    "test.test_generators",
    "test.test_getpass",
    "test.test_inspect",
    "test.test_linecache",
    "test.test_pdb",
    "test.test_sys",
    "test.test_traceback",
    "test.test_warnings",
]


@pytest.mark.parametrize("module", MODULES)
def test_cpython(service: Service, module: str, tmp_path: Path) -> None:
    assert_same_where_shipped(service, module, "run_unittests", tmp_path, without="this Python")
