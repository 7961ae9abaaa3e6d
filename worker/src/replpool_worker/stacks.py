"""Where a worker's threads stand, told even while a C call holds the interpreter: on a signal, written to a FIFO.

faulthandler's handler is C and waits for nobody. The launcher sends the signal and reads the FIFO (stack_reader.py).
User code may take the signal or close the descriptor: then the stacks are lost, and nothing else.
"""

import contextlib
import faulthandler
import fcntl
import os
import re
import resource
import signal
import threading

from .tracebacks import OUR_FOLDER

# Real-time, near the upper end: not of the C library (32 to 34), Go (SIGURG), Java and .NET (SIGUSR2, SIGRTMIN and on),
# Valgrind (SIGRTMAX), nor of what Python programs use (SIGUSR1, SIGUSR2, SIGALRM, SIGPROF).
SIGNAL = signal.SIGRTMAX - 2
# The FIFO's name beside `out` and `err`.
NAME = "stacks"
# Far from the numbers that user code's own files get: one that it closed would else be the next file that it opens.
HIGH = 900

# Bound here: user code patches modules, as tests do, and must not hit the worker (test_patched_modules.py).
_close, _open, _join, _fcntl, _getrlimit = os.close, os.open, os.path.join, fcntl.fcntl, resource.getrlimit
_register, _unregister = faulthandler.register, faulthandler.unregister

_THREAD = re.compile(r"^(?:Current t|T)hread 0x")
_FRAME = re.compile(r'^  File "(?P<file>.*)", line \S+ in (?P<function>.*)$')
# What user code is called by, and what all of it is called by: what stands outside of these is ours.
_ENTRIES = ("run_beside", "await_user_code")
_LOOP = "run"


class StackDump:
    """The worker's end of it."""

    def __init__(self) -> None:
        self._fd: int | None = None

    def offer(self, directory: str) -> None:
        """Write the stacks of all threads into the FIFO of this folder at each signal; without a reader at none."""
        # It never waits: what has no room in the FIFO is left out.
        flags = os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC
        with contextlib.suppress(OSError, ValueError, RuntimeError):
            low = _open(_join(directory, NAME), flags)
            try:
                limit = _getrlimit(resource.RLIMIT_NOFILE)[0]
                at_least = HIGH if limit == resource.RLIM_INFINITY else min(HIGH, limit - 1)
                self._fd = _fcntl(low, fcntl.F_DUPFD_CLOEXEC, at_least)
            finally:
                _close(low)
            _register(SIGNAL, file=self._fd, all_threads=True, chain=False)

    def fds(self) -> set[int]:
        """The descriptor of the FIFO."""
        return set() if self._fd is None else {self._fd}

    def withdraw(self) -> None:
        """In a forked child of the user's: the handler and the descriptor are the worker's."""
        if self._fd is not None:
            fd, self._fd = self._fd, None
            with contextlib.suppress(OSError, ValueError, RuntimeError):
                _unregister(SIGNAL)
            with contextlib.suppress(OSError):
                _close(fd)


def users_frames(dump: str) -> str:
    """Of faulthandler's text what is the user's: without our frames, and without the threads that are ours alone."""
    threads: list[list[str]] = []
    for line in dump.splitlines():
        if _THREAD.match(line):
            threads.append([line])
        elif threads and line:
            threads[-1].append(line)
    kept = [[head, *frames] for head, *lines in threads if (frames := _of_user(lines))]
    return "\n\n".join("\n".join(lines) for lines in kept)


def _of_user(lines: list[str]) -> list[str]:
    """The frames of one thread, the innermost first; none where it is a thread of ours."""
    outermost = _last(lines, "interrupts.py", _ENTRIES)
    if outermost is None:
        outermost = _last(lines, "session.py", (_LOOP,))
    if outermost is None:
        started = [line for line in lines if _file(line) != threading.__file__]
        outermost = 0 if started and _is_ours(started[-1]) else len(lines)
    return [line for line in lines[:outermost] if not _is_ours(line)]


def _last(lines: list[str], file: str, functions: tuple[str, ...]) -> int | None:
    """Where the outermost frame of one of these functions of ours stands."""
    found = None
    for index, line in enumerate(lines):
        frame = _FRAME.match(line)
        if frame and frame["file"] == OUR_FOLDER + file and frame["function"] in functions:
            found = index
    return found


def _file(line: str) -> str:
    frame = _FRAME.match(line)
    return frame["file"] if frame else ""


def _is_ours(line: str) -> bool:
    return _file(line).startswith(OUR_FOLDER)
