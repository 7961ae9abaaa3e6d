"""os.wait and its like, and handlers of SIGCHLD, for which twins are no children: user code did not start them."""

import errno
import importlib
import os
import resource
import signal
import threading
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
_WNOHANG, _WNOWAIT, _P_PID, _P_ALL = os.WNOHANG, os.WNOWAIT, os.P_PID, os.P_ALL
_get_ident, _getrusage, _RUSAGE_CHILDREN = threading.get_ident, resource.getrusage, resource.RUSAGE_CHILDREN
_raise_signal, _SIGCHLD = signal.raise_signal, signal.SIGCHLD
_CHANGED = os.WEXITED | os.WSTOPPED | os.WCONTINUED

# No child was asked.
_NOBODY = object()


class ChildWaits:
    """The children of this process that are twins, and the functions of `os` that wait for any child."""

    def __init__(self) -> None:
        # The module below `os`: replaced in both, for code that has either.
        self._native = importlib.import_module("posix")
        self._former = {name: getattr(self._native, name) for name in ("wait", "waitpid", "wait3", "wait4", "waitid")}
        self._twins: set[int] = set()
        self._main = _get_ident()
        # Faults of all children that were waited for, at the last look: more are those of a child of the user's.
        self._faults = 0
        # Of SIGCHLD, whose handlers run on the main thread: we wait for twins just now; one came meanwhile; the next is
        # for the user.
        self._is_taking = self._has_come = self._is_due = False

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
        """A child that is a twin, or else none of the user's."""
        self._twins.add(pid)
        self.look()

    def look(self) -> None:
        """On the main thread, where no code of the user's runs: that was told of all children it waited for so far."""
        if self._twins:
            self._faults = _faults()

    def forget_all(self) -> None:
        """In a forked process: they are another's children."""
        self._twins.clear()
        self._is_taking = self._has_come = self._is_due = False

    def reap_one(self, pid: int) -> None:
        """Wait for one of them, which is about to end."""
        self._reap([pid], 0)

    def reap(self) -> None:
        """Take the twins that ended off the kernel's list. Never blocks."""
        if self._twins:
            self._reap(list(self._twins), _WNOHANG)

    def only_twins_ended(self) -> bool:
        """At a SIGCHLD: whether it tells of twins alone. Where that is not sure it is for the user's handler."""
        if self._is_due:
            self._is_due = False
            return False
        if self._is_taking:
            self._has_come = True
            return True
        return bool(self._twins) and self._take(list(self._twins), _WNOHANG) and not self._has_changed_child()

    def _reap(self, pids: list[int], options: int) -> None:
        if _get_ident() != self._main:
            self._wait_for_each(pids, options)
            return
        are_alone = False
        try:
            are_alone = self._take(pids, options)
        finally:
            if self._has_come:
                self._has_come = False
                if not are_alone or self._has_changed_child():
                    self._is_due = True
                    _raise_signal(_SIGCHLD)

    def _take(self, pids: list[int], options: int) -> bool:
        """Returns whether some had ended, and user code has waited for no child since the last look."""
        is_quiet = _faults() == self._faults
        try:
            self._is_taking = True
            have_ended = self._wait_for_each(pids, options)
        finally:
            self._is_taking = False
        self._faults = _faults()
        return have_ended and is_quiet

    def _wait_for_each(self, pids: list[int], options: int) -> bool:
        have_ended = False
        for pid in pids:
            try:
                if _waitpid(pid, options)[0] != pid:
                    continue
                have_ended = True
            except OSError:
                # User code has reaped it, or has the kernel do so (SIGCHLD ignored).
                pass
            self._twins.discard(pid)
        return have_ended

    def _has_changed_child(self) -> bool:
        """Whether a child of the user's ended, stopped or went on, and nobody has asked for it yet."""
        for child in kernel.children(_getpid()):
            if child in self._twins:
                continue
            try:
                if _waitid(_P_PID, child, _CHANGED | _WNOHANG | _WNOWAIT) is not None:
                    return True
            except ChildProcessError:
                # Another thread has it.
                return True
        return False

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


def _faults() -> int:
    return _getrusage(_RUSAGE_CHILDREN).ru_minflt
