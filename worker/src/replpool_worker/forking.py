"""Forks of the worker's own, which the worker's hooks for forks of user code pass over."""

import contextlib
import os
import sys
import warnings
from collections.abc import Callable

# Bound here: user code patches modules, as tests do, and must not hit the worker (test_patched_modules.py).
_fork, _catch_warnings, _simplefilter = os.fork, warnings.catch_warnings, warnings.simplefilter
# The beginning of what Python 3.12 and later say of a fork beside threads, of which ours is always there.
FORK_WARNING = "This process (pid=1) is multi-threaded"
_WARNS = sys.version_info >= (3, 12)

# Whether the fork that is being made is ours, and no child of the user's.
_is_ours = False


def unless_ours(hook: Callable[[], None]) -> Callable[[], None]:
    """A hook for os.register_at_fork that is for the forks of user code."""

    def called() -> None:
        if not _is_ours:
            hook()

    return called


def fork() -> int:
    """As os.fork, without Python's warning. Raises OSError."""
    global _is_ours
    _is_ours = True
    try:
        if not _WARNS or _is_ignored():
            return _fork()
        with _catch_warnings():
            # It warns of forks beside threads; there are none but ours, which a fork makes anew.
            _simplefilter("ignore", DeprecationWarning)
            return _fork()
    finally:
        _is_ours = False


def _is_ignored() -> bool:
    """Whether Python's warning of a fork beside threads is, as a worker has it (worker.py) and user code may change.

    To change the filters oneself, for the time of a fork, would have Python show each warning of the user's once more.
    """
    # User code may have put anything there.
    with contextlib.suppress(Exception):
        for action, message, category, module, _ in warnings.filters:
            if issubclass(DeprecationWarning, category) and (message is None or message.match(FORK_WARNING)):
                return action == "ignore" and module is None
    return False
