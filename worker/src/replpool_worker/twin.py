"""Frozen forks of the worker, made while no user code runs: twins, and branches (stem.py makes the processes of these).

One shares memory with the worker copy-on-write. Frozen it answers questions about its state, on its only thread, and
ends when its connection does. `resume` makes it a worker: it goes on in the loop where the fork was made, a twin in the
worker's place and a branch as a session of its own.
"""

import os
import signal
import socket
from typing import Protocol

from . import CAPABILITIES, EX_SOFTWARE, PROTOCOL_FDS, WORKER_MARKER, kernel, working_folder
from .child_waits import ChildWaits
from .connection import Connection, Refused, hello
from .fork_state import ForkState, leave_signals_alone
from .forking import fork
from .frames import Message, ProtocolError
from .oom_score import OOM_STEP, OomScore
from .reseeding import reseed
from .session_loop import SessionLoop
from .stem import grow

QUESTIONS = ("complete", "inspect", "variables")
SNAPSHOT = "snapshot"

# Bound here: user code patches modules, as tests do, and must not hit the worker (test_patched_modules.py).
_exit, _setsid, _getppid, _environ = os._exit, os.setsid, os.getppid, os.environ
_socket, _AF_UNIX, _SOCK_STREAM = socket.socket, socket.AF_UNIX, socket.SOCK_STREAM
_SIGKILL = signal.SIGKILL


class Owner(Protocol):
    """What a frozen fork needs of the session that it is."""

    def reset(self) -> None:
        """Forget what the worker's other threads held: locks, queues, requests under way."""

    def answer(self, message: Message) -> None:
        """Answer a `complete`, `inspect` or `variables` on this thread."""

    def leave(self, directory: str) -> None:
        """In a branch: have nothing of the worker's any more; output and stacks go to the FIFOs of this folder."""

    def take_over(self) -> None:
        """Be the worker: start the protocol thread."""


class Forks:
    """Makes twins and branches of this process, on the main thread."""

    def __init__(self, connection: Connection, loop: SessionLoop, owner: Owner) -> None:
        self._connection = connection
        self._loop = loop
        self._owner = owner
        self._oom = OomScore()

    def make_twin(self, message: Message) -> int:
        """What a `snapshot` asks for. Returns its pid, and 0 in it when it is the worker. Raises OSError."""
        self._oom.learn()
        state = ForkState()
        pid = fork()
        if pid == 0:
            self._be(message["snapshot"], message["token"], message["socket"], state)
        return pid

    def make_branches(self, message: Message, child_waits: ChildWaits) -> list[int]:
        """What a `fork` asks for. Returns their pids, and none in one when it is a session. Raises OSError, Unsafe."""
        self._oom.learn()
        state = ForkState()

        branches = message["branches"]
        names = [one["branch"] for one in branches]
        return grow(
            names, lambda index: self._be(names[index], branches[index]["token"], message["socket"], state), child_waits
        )

    def prefer_worker(self, is_preferred: bool) -> None:
        """In the worker: whether, where memory is short, this process is to be taken rather than its twins."""
        self._oom.set_step(OOM_STEP if is_preferred else 0)

    def _be(self, name: str, token: str, path: str, state: ForkState) -> None:
        """In the fork. Returns when it is a worker; every other end is the process' own."""
        try:
            self._freeze(name, token, path)
            while (resume := self._serve()) is None:
                pass
            self._resume(resume, state)
        except (EOFError, Refused):
            _exit(0)
        except BaseException:
            # In silence: fds 1 and 2 are the session's.
            _exit(EX_SOFTWARE)

    def _freeze(self, name: str, token: str, path: str) -> None:
        leave_signals_alone()
        connection = self._connection
        connection.forget()
        _setsid()
        kernel.overwrite_environment(WORKER_MARKER, name)
        _environ[WORKER_MARKER] = name
        self._oom.set_step(0)
        kernel.set_name("replpool-twin")
        self._owner.reset()
        endpoint = _socket(_AF_UNIX, _SOCK_STREAM)
        endpoint.connect(path)
        fd = endpoint.detach()
        connection.reopen(fd)
        # Like a worker's; but the agent may answer when it likes.
        connection.greet(hello("socket", (*CAPABILITIES, SNAPSHOT), token), None)

    def _serve(self) -> Message | None:
        """One message; returns the one that ends the standing still."""
        message = self._connection.receive()
        kind = message["type"]
        if kind == "resume":
            return message
        if kind in QUESTIONS:
            self._owner.answer(message)
        elif kind == "heartbeat":
            self._connection.send({"type": "heartbeat"})
        elif kind == "oom_step":
            self._oom.set_step(int(message["step"]))
        elif kind == "shutdown":
            raise EOFError
        else:
            raise ProtocolError(f"a frozen twin knows no {kind!r}")
        return None

    def _resume(self, message: Message, state: ForkState) -> None:
        if _getppid() == state.parent:
            kernel.set_parent_death_signal(_SIGKILL)
            if _getppid() != state.parent:
                _exit(0)
        fd = self._connection.fds[0]
        _environ[PROTOCOL_FDS] = f"{fd},{fd}"
        kernel.set_name("replpool-worker")
        self._oom.set_step(0)
        branch = message.get("branch")
        if branch is None:
            state.put_back_random()
        else:
            reseed()
            self._owner.leave(branch["directory"])
            working_folder.move(branch["formerCwd"], branch["cwd"])
        state.put_back(self._loop)
        self._owner.take_over()
