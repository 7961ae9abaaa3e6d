"""Whether this process may be forked now."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .requests import Requests
from .threads import Threads, sentence, unfit_module

# How long a question under way (a completion) may keep a fork.
IDLE_SECONDS = 2.0


class Unsafe(Exception):
    """There can be no fork; says why."""


class ForkSafety:
    """What is asked before a fork, and once more behind it."""

    def __init__(self, threads: Threads, requests: Callable[[], Requests]) -> None:
        self._threads = threads
        self._requests = requests

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Fork in here. Raises Unsafe where no fork can be good, and in place of OSError."""
        unfit = unfit_module()
        if unfit is not None:
            raise Unsafe(unfit)
        beside = self._threads.known_to_python()
        if beside:
            raise Unsafe(sentence(beside))
        idle = self._requests().idle
        if not idle.acquire(timeout=IDLE_SECONDS):
            raise Unsafe(f"a completion or inspection takes more than {IDLE_SECONDS:.0f} s")
        try:
            yield
        except OSError as error:
            raise Unsafe(f"the fork failed: {error.strerror or error}") from error
        finally:
            # In a fork this is the worker's, for which it has another.
            idle.release()

    def look_again(self) -> None:
        """In the worker, after the fork. Raises Unsafe where that left threads behind."""
        # Only now: pools of libraries that stop themselves at a fork (OpenBLAS's) have done so.
        foreign = self._threads.foreign()
        if foreign:
            raise Unsafe(sentence(foreign))
