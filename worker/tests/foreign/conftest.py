"""One service for all tests that others wrote."""

from collections.abc import Iterator

import pytest

from foreign.service import Service


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A running `replpool dev`."""
    made = Service(tmp_path_factory.mktemp("service") / "log")
    yield made
    made.close()
