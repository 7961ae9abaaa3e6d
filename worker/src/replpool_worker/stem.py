"""Branches of a worker are forked by a *stem*, a process between that ends at once: their parent is the launcher.

A twin, which is short-lived, is a child of its worker. A branch may outlive it, and the launcher reports how it ended.
"""

import errno
import os
import select
import signal
import time
from collections.abc import Callable, Iterable, Sequence

from . import EX_SOFTWARE, WORKER_MARKER, kernel
from .child_waits import ChildWaits
from .fork_safety import Unsafe
from .forking import fork

# How long hooks of the user's for forks may take in all the forks together.
STEM_SECONDS = 10.0

# Bound here: user code patches modules, as tests do, and must not hit the worker (test_patched_modules.py).
_pipe2, _close, _read, _write, _exit = os.pipe2, os.close, os.read, os.write, os._exit
_getpid, _poll, _POLLIN, _monotonic, _strerror = os.getpid, select.poll, select.POLLIN, time.monotonic, os.strerror
_pthread_sigmask, _SIG_BLOCK, _SIG_SETMASK = signal.pthread_sigmask, signal.SIG_BLOCK, signal.SIG_SETMASK
_SIGKILL, _SIGCHLD = signal.SIGKILL, signal.SIGCHLD

# What is told through the pipe, a letter and a number on each line: the stem forked a process, that process is through
# the hooks for forks, the stem could not fork.
MADE, RUNS, FAILED = "m", "r", "f"


def grow(names: Sequence[str], be: Callable[[int], None], child_waits: ChildWaits) -> list[int]:
    """Fork a branch for each of the names, which calls `be(index)`. Returns their pids; in a branch none, after `be`.

    Raises OSError and Unsafe; then no process is left.
    """
    read, write = _pipe2(os.O_CLOEXEC)
    try:
        stem = fork()
    except OSError:
        _close(read)
        _close(write)
        raise
    if stem == 0:
        _close(read)
        _be_stem(len(names), be, write)
        return []
    _close(write)
    child_waits.add(stem)
    try:
        told, is_in_time = _listen(read)
    finally:
        _close(read)
    made = told[MADE]
    if is_in_time and not told[FAILED] and len(made) == len(names) and set(made) == set(told[RUNS]):
        child_waits.reap_one(stem)
        return made
    # While the stem lives, those that it has not told of are its children.
    made = list({*made, *kernel.children(stem)})
    if child_waits.has(stem):
        kernel.signal(stem, _SIGKILL)
    child_waits.reap_one(stem)
    end(made, names)
    raise Unsafe(_why(told[FAILED], is_in_time))


def end(pids: Iterable[int], names: Iterable[str]) -> None:
    """Kill branches that are not to be. A number may be another's by now, who is not marked by one of the names."""
    marks = {*names, kernel.environment_value(_getpid(), WORKER_MARKER)}
    for pid in pids:
        if kernel.environment_value(pid, WORKER_MARKER) in marks:
            kernel.signal(pid, _SIGKILL)


def _be_stem(count: int, be: Callable[[int], None], write: int) -> None:
    """In the stem. Returns in a branch alone."""
    try:
        index = _fork_all(count, write)
    except BaseException:
        # In silence: fds 1 and 2 are the session's.
        _exit(EX_SOFTWARE)
    if index is None:
        _exit(0)
    be(index)


def _fork_all(count: int, write: int) -> int | None:
    # A branch that ends in a hook is no child of the session's, whose handler it would call.
    mask = _pthread_sigmask(_SIG_BLOCK, {_SIGCHLD})
    for index in range(count):
        try:
            pid = fork()
        except OSError as error:
            _tell(write, FAILED, error.errno or 0)
            return None
        if pid == 0:
            _pthread_sigmask(_SIG_SETMASK, mask)
            _tell(write, RUNS, _getpid())
            _close(write)
            return index
        _tell(write, MADE, pid)
    return None


def _tell(write: int, letter: str, number: int) -> None:
    _write(write, f"{letter}{number}\n".encode())


def _listen(read: int) -> tuple[dict[str, list[int]], bool]:
    """The numbers by their letters, and whether that was all within the time."""
    poll = _poll()
    poll.register(read, _POLLIN)
    deadline = _monotonic() + STEM_SECONDS
    text, has_ended = b"", False
    while not has_ended and poll.poll(max(0.0, deadline - _monotonic()) * 1000):
        piece = _read(read, 4096)
        text += piece
        has_ended = not piece
    told: dict[str, list[int]] = {MADE: [], RUNS: [], FAILED: []}
    try:
        for line in text.decode().split():
            told[line[0]].append(int(line[1:]))
    except (KeyError, ValueError):
        # A hook of the user's found the pipe.
        told[FAILED].append(errno.EBADMSG)
    return told, has_ended


def _why(failed: list[int], is_in_time: bool) -> str:
    if failed:
        return f"the fork failed: {_strerror(failed[0])}"
    if is_in_time:
        return "a forked process ended in a hook of the session's code for forks (os.register_at_fork)"
    return f"a hook of the session's code for forks (os.register_at_fork) takes more than {STEM_SECONDS:.0f} s"
