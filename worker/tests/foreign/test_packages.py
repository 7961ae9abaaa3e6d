"""Some of numpy's and pandas' own tests, run by pytest inside a session as under a plain `python3`."""

from pathlib import Path

import pytest

from foreign.both import assert_same_where_shipped
from foreign.service import Service

pytestmark = pytest.mark.foreign

# Quick ones that take much of the library.
MODULES = [
    "numpy._core.tests.test_numeric",
    "pandas.tests.frame.methods.test_describe",
    "pandas.tests.io.formats.test_format",
    "pandas.tests.io.json.test_normalize",
]


@pytest.mark.parametrize("module", MODULES)
def test_package(service: Service, module: str, tmp_path: Path) -> None:
    assert_same_where_shipped(service, module, "run_pytest", tmp_path, without="this version")
