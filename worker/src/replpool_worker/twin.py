"""A twin: a frozen fork of the worker, made while no user code runs, that takes over where the worker is given up.

It shares memory with the worker copy-on-write. Frozen it answers questions about its state, on its only thread, and
ends when its connection does. `resume` makes it a worker: it goes on in the loop where the fork was made.
"""

import asyncio
import contextlib
import os
import random
import signal
import socket
import sys
import warnings
from collections.abc import Callable
from typing import Protocol

from . import CAPABILITIES, EX_SOFTWARE, PROTOCOL_FDS, WORKER_MARKER, kernel
from .connection import Connection, Refused, hello
from .frames import Message, ProtocolError
from .session_loop import SessionLoop

QUESTIONS = ("complete", "inspect", "variables")
SNAPSHOT = "snapshot"
# How much rather than its twin the worker is to be taken where memory is short.
OOM_STEP = 300
OOM_FILE = "/proc/self/oom_score_adj"

# Bound here: user code patches modules, as tests do, and must not hit the worker (test_patched_modules.py).
_exit, _fork, _setsid, _getppid, _environ = os._exit, os.fork, os.setsid, os.getppid, os.environ
_socket, _AF_UNIX, _SOCK_STREAM = socket.socket, socket.AF_UNIX, socket.SOCK_STREAM
_getstate, _setstate = random.getstate, random.setstate
_getitimer, _setitimer, _set_wakeup_fd = signal.getitimer, signal.setitimer, signal.set_wakeup_fd
_SIGKILL = signal.SIGKILL
_set_running_loop = asyncio.events._set_running_loop
_catch_warnings, _simplefilter = warnings.catch_warnings, warnings.simplefilter
_open = open
# The beginning of what Python 3.12 and later say of a fork beside threads, of which ours is always there.
FORK_WARNING = "This process (pid=1) is multi-threaded"
_WARNS = sys.version_info >= (3, 12)
_TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)

# Whether the fork that is being made is a twin's, and no child of the user's.
_is_ours = False


class Owner(Protocol):
    """What a twin needs of the session that it is."""

    def reset(self) -> None:
        """Forget what the worker's other threads held: locks, queues, requests under way."""

    def answer(self, message: Message) -> None:
        """Answer a `complete`, `inspect` or `variables` on this thread."""

    def take_over(self) -> None:
        """Be the worker: start the protocol thread."""


def unless_twin(hook: Callable[[], None]) -> Callable[[], None]:
    """A hook for os.register_at_fork that is for the forks of user code."""

    def called() -> None:
        if not _is_ours:
            hook()

    return called


class Kept:
    """What a fork changes though memory stays: taken before it, put back where the twin goes on."""

    def __init__(self) -> None:
        # Python reseeds it in a child.
        self._random = _getstate()
        self._timers = [(timer, _getitimer(timer)) for timer in _TIMERS]
        # asyncio takes this and the loop of the thread away from a child (Python 3.12).
        self._wakeup = _set_wakeup_fd(-1)
        _set_wakeup_fd(self._wakeup)
        self._policy = getattr(asyncio.events, "_event_loop_policy", None)
        self._local = getattr(self._policy, "_local", None)

    def put_back(self, loop: SessionLoop) -> None:
        """In the twin, when it goes on."""
        _setstate(self._random)
        if self._local is not None:
            # A policy of the user's may be laid out as it likes.
            with contextlib.suppress(TypeError):
                vars(self._policy)["_local"] = self._local
        _set_wakeup_fd(self._wakeup)
        loop.renew_self_pipe()
        _set_running_loop(loop)
        for timer, (left, interval) in self._timers:
            if left:
                _setitimer(timer, left, interval)


class Forks:
    """Makes twins of this process, one at a time, on the main thread."""

    def __init__(self, connection: Connection, loop: SessionLoop, owner: Owner) -> None:
        self._connection = connection
        self._loop = loop
        self._owner = owner
        # What the kernel was told of our memory before the first twin; None until then.
        self._oom: bytes | None = None
        self._is_raised = False

    def make(self, message: Message) -> int:
        """Fork. Returns the twin's pid in the worker, and 0 in the twin when it is the worker. Raises OSError."""
        global _is_ours
        kept, launcher = Kept(), _getppid()
        if self._oom is None:
            self._oom = kernel.read(OOM_FILE).strip()
        _is_ours = True
        try:
            pid = self._fork()
            if pid == 0:
                self._be(message, launcher, kept)
        finally:
            _is_ours = False
        return pid

    def prefer_worker(self) -> None:
        """In the worker, once there is a twin: where memory is short, this process is to be taken. Best effort."""
        if not self._is_raised and self._oom:
            self._is_raised = True
            _tell_oom(b"%d" % min(1000, int(self._oom) + OOM_STEP))

    @staticmethod
    def _fork() -> int:
        if not _WARNS or _is_ignored():
            return _fork()
        with _catch_warnings():
            # It warns of forks beside threads; there are none but ours, which a twin makes anew.
            _simplefilter("ignore", DeprecationWarning)
            return _fork()

    def _be(self, message: Message, launcher: int, kept: Kept) -> None:
        """In the twin. Returns when it is the worker; every other end is the process' own."""
        try:
            self._freeze(message)
            while self._serve():
                pass
            self._resume(launcher, kept)
        except (EOFError, Refused):
            _exit(0)
        except BaseException:
            # In silence: fds 1 and 2 are the session's.
            _exit(EX_SOFTWARE)

    def _freeze(self, message: Message) -> None:
        connection = self._connection
        connection.forget()
        _setsid()
        name = str(message["snapshot"])
        kernel.overwrite_environment(WORKER_MARKER, name)
        _environ[WORKER_MARKER] = name
        if self._is_raised and self._oom:
            _tell_oom(self._oom)
        self._is_raised = False
        kernel.set_name("replpool-twin")
        self._owner.reset()
        endpoint = _socket(_AF_UNIX, _SOCK_STREAM)
        endpoint.connect(str(message["socket"]))
        fd = endpoint.detach()
        connection.reopen(fd)
        # Like a worker's; but the agent may answer when it likes.
        connection.greet(hello("socket", (*CAPABILITIES, SNAPSHOT), str(message["token"])), None)

    def _serve(self) -> bool:
        """One message; returns whether the twin stays frozen."""
        message = self._connection.receive()
        kind = message["type"]
        if kind == "resume":
            return False
        if kind in QUESTIONS:
            self._owner.answer(message)
        elif kind == "heartbeat":
            self._connection.send({"type": "heartbeat"})
        elif kind == "shutdown":
            raise EOFError
        else:
            raise ProtocolError(f"a frozen twin knows no {kind!r}")
        return True

    def _resume(self, launcher: int, kept: Kept) -> None:
        if _getppid() == launcher:
            kernel.set_parent_death_signal(_SIGKILL)
            if _getppid() != launcher:
                _exit(0)
        fd = self._connection.fds[0]
        _environ[PROTOCOL_FDS] = f"{fd},{fd}"
        kernel.set_name("replpool-worker")
        kept.put_back(self._loop)
        self._owner.take_over()


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


def _tell_oom(value: bytes) -> None:
    with contextlib.suppress(OSError), _open(OOM_FILE, "wb", buffering=0) as file:
        file.write(value)
