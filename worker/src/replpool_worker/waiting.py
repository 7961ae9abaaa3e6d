"""os.wait and its like, for which the session's twins are no children: user code did not start them."""

import errno
import importlib
import os
import time
from collections.abc import Callable
from typing import Any

from . import kernel

# Between two looks of a wait that has twins beside the children it waits for.
LOOK_SECONDS = 0.0005
LONGEST_LOOK_SECONDS = 0.01

# Bound here: user code patches modules, as tests do, and must not hit the worker (test_patched_modules.py).
_getpid, _sleep, _strerror = os.getpid, time.sleep, os.strerror
_waitpid, _wait4, _waitid = os.waitpid, os.wait4, os.waitid
_WNOHANG, _P_PID, _P_ALL = os.WNOHANG, os.P_PID, os.P_ALL

# No child was asked.
_NOBODY = object()


class Waiting:
    """The children of this process that are twins, and the functions of `os` that wait for any child."""

    def __init__(self) -> None:
        # The module below `os`: replaced in both, for code that has either.
        self._native = importlib.import_module("posix")
        self._former = {name: getattr(self._native, name) for name in ("wait", "waitpid", "wait3", "wait4", "waitid")}
        self._twins: set[int] = set()

    def install(self) -> None:
        """Stand before the functions from now on; without a twin each is Python's own."""
        made: dict[str, Callable[..., Any]] = {
            "wait": self._wait,
            "waitpid": self._wait_for_pid,
            "wait3": self._wait3,
            "wait4": self._wait4,
            "waitid": self._wait_for_id,
        }
        for name, function in made.items():
            replacement = _named(name, function, self._former[name])
            vars(self._native)[name] = vars(os)[name] = replacement

    def add(self, pid: int) -> None:
        """A child that is a twin."""
        self._twins.add(pid)

    def forget_all(self) -> None:
        """In a forked process: they are another's children."""
        self._twins.clear()

    def reap(self) -> bool:
        """Take the twins that ended off the kernel's list. Never blocks. Returns whether some are left."""
        for pid in list(self._twins):
            try:
                if _waitpid(pid, _WNOHANG)[0] == pid:
                    self._twins.discard(pid)
            except OSError:
                # User code has reaped it, or has the kernel do so (SIGCHLD ignored).
                self._twins.discard(pid)
        return bool(self._twins)

    def has(self, pid: int) -> bool:
        """Whether it is one that was not reaped."""
        return pid in self._twins

    def _wait(self) -> Any:
        return self._wait_for_pid(-1, 0)

    def _wait_for_pid(self, pid: int, options: int, /) -> Any:
        if pid != -1 or not self._twins:
            return self._former["waitpid"](pid, options)
        return self._any(options, _waitpid, lambda found: bool(found[0]))

    def _wait3(self, options: int) -> Any:
        return self._wait4(-1, options)

    def _wait4(self, pid: int, options: int) -> Any:
        if pid != -1 or not self._twins:
            return self._former["wait4"](pid, options)
        return self._any(options, _wait4, lambda found: bool(found[0]))

    def _wait_for_id(self, idtype: int, id: int, options: int, /) -> Any:
        if idtype != _P_ALL or not self._twins:
            return self._former["waitid"](idtype, id, options)
        return self._any(options, lambda one, how: _waitid(_P_PID, one, how), lambda found: found is not None)

    def _any(self, options: int, ask: Callable[[int, int], Any], is_found: Callable[[Any], bool]) -> Any:
        """Ask child by child, until one has ended or none is left. Raises ChildProcessError."""
        pause = LOOK_SECONDS
        while True:
            self.reap()
            latest: Any = _NOBODY
            for child in kernel.children(_getpid()):
                if child in self._twins:
                    continue
                try:
                    latest = ask(child, options | _WNOHANG)
                except ChildProcessError:
                    # Another thread has it.
                    continue
                if is_found(latest):
                    return latest
            if latest is _NOBODY:
                raise ChildProcessError(errno.ECHILD, _strerror(errno.ECHILD))
            if options & _WNOHANG:
                return latest
            _sleep(pause)
            pause = min(2 * pause, LONGEST_LOOK_SECONDS)


def _named(name: str, function: Callable[..., Any], native: Callable[..., Any]) -> Callable[..., Any]:
    """A function that looks like Python's own to whoever asks for its name."""

    def replaced(*arguments: Any, **options: Any) -> Any:
        return function(*arguments, **options)

    replaced.__name__ = replaced.__qualname__ = name
    replaced.__module__ = native.__module__
    replaced.__doc__ = native.__doc__
    return replaced
