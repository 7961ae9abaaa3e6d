"""One launcher with one zygote for the tests that do not end it."""

from collections.abc import Iterator

import pytest

from agent import Launcher, Worker


@pytest.fixture(scope="session")
def launcher() -> Iterator[Launcher]:
    """A launcher with the zygote `z`."""
    made = Launcher()
    made.start_zygote()
    yield made
    assert made.close() == 0


@pytest.fixture
def worker(launcher: Launcher) -> Iterator[Worker]:
    """A fresh forked worker."""
    made = launcher.fork()
    yield made
    launcher.kill(made)
    made.close()
