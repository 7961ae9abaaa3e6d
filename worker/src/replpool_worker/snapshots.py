"""The session's snapshots: frozen forks (twin.py) and copies of the namespace (namespace_copy.py), by id."""

import asyncio
import contextlib
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from .executor import Executor
from .frames import Message
from .interrupts import Interrupts
from .namespace import Namespace
from .namespace_copy import NamespaceCopy, quietly
from .output import Output
from .requests import Requests
from .session_loop import SessionLoop
from .threads import Threads, sentence, unfit_module
from .twin import Forks
from .waiting import Waiting

# How long a question under way (a completion) may keep a fork.
IDLE_SECONDS = 2.0
# Between two looks whether a twin that is not needed any more has ended.
REAP_SECONDS = 0.005
LONGEST_REAP_SECONDS = 0.1

# Bound here: user code patches modules, as tests do, and must not hit the worker (test_patched_modules.py).
_kill, _waitpid, _perf_counter, _SIGKILL = os.kill, os.waitpid, time.perf_counter, signal.SIGKILL
_call_later, _call_soon_threadsafe = asyncio.BaseEventLoop.call_later, asyncio.BaseEventLoop.call_soon_threadsafe


class Unsafe(Exception):
    """There can be no fork; says why."""


class Snapshots:
    """Takes, discards and rolls back. `forks` is None in a worker that cannot be forked."""

    def __init__(
        self,
        *,
        namespace: Namespace,
        executor: Executor,
        interrupts: Interrupts,
        requests: Callable[[], Requests],
        threads: Threads,
        loop: SessionLoop,
        send: Callable[[Message], None],
    ) -> None:
        self._namespace = namespace
        self._executor = executor
        self._interrupts = interrupts
        self._requests = requests
        self._threads = threads
        self._loop = loop
        self._send = send
        self.output: Output | None = None
        self.forks: Forks | None = None
        self.waiting = Waiting()
        self._copies: dict[str, NamespaceCopy] = {}
        self._twins: dict[str, int] = {}
        self._discarded: deque[object] = deque()
        self._is_reaping = False

    def take(self, message: Message) -> None:
        """On the main thread, between executions: the first kind that can be had."""
        began = _perf_counter()
        reason: str | None = None
        for kind in message["kinds"]:
            value: Message
            if kind == "fork":
                try:
                    pid = self._fork(message)
                except Unsafe as error:
                    reason = str(error)
                    continue
                if pid == 0:
                    # We are the twin, and the worker now.
                    return
                value = {"kind": "fork", "pid": pid}
            else:
                value = self._copy(message) | ({} if reason is None else {"reason": reason})
            value["costMs"] = round((_perf_counter() - began) * 1000, 3)
            self._send({"type": "reply", "request": message["request"], "value": value})
            return
        text = reason or "no kind of snapshot was asked for"
        self._send({"type": "problem", "request": message["request"], "code": "FORK_UNSAFE", "message": text})

    def _fork(self, message: Message) -> int:
        """Make a twin. Returns its pid, and 0 in it once it is the worker. Raises Unsafe."""
        if self.forks is None:
            raise Unsafe("this worker was started on its own, and only workers that a zygote forked can be forked")
        unfit = unfit_module()
        if unfit is not None:
            raise Unsafe(unfit)
        beside = self._threads.known_to_python()
        if beside:
            raise Unsafe(sentence(beside))
        if self.output is not None:
            self.output.flush()
        idle = self._requests().idle
        if not idle.acquire(timeout=IDLE_SECONDS):
            raise Unsafe(f"a completion or inspection takes more than {IDLE_SECONDS:.0f} s")
        try:
            pid = self.forks.make(message)
        except OSError as error:
            raise Unsafe(f"the fork failed: {error.strerror or error}") from error
        finally:
            # Of a twin this is the worker's, for which it has another.
            idle.release()
        if pid == 0:
            return 0
        # Only now: pools of libraries that stop themselves at a fork (OpenBLAS's) have done so.
        foreign = self._threads.foreign()
        if foreign:
            self._abandon(pid)
            raise Unsafe(sentence(foreign))
        self.waiting.add(pid)
        self._twins[message["snapshot"]] = pid
        self.forks.prefer_worker()
        return pid

    @staticmethod
    def _abandon(pid: int) -> None:
        try:
            _kill(pid, _SIGKILL)
            _waitpid(pid, 0)
        except OSError:
            # The kernel reaps for user code that ignores SIGCHLD.
            return

    def _copy(self, message: Message) -> Message:
        made = NamespaceCopy(self._namespace, int(message.get("maxBytes") or 0))
        self._interrupts.begin(message["snapshot"])
        try:
            made.take(self._interrupts)
        finally:
            self._interrupts.end()
        # Code of the user's may have forked in it.
        self._executor.leave_fork()
        self._copies[message["snapshot"]] = made
        return {"kind": "copy", "bytes": made.bytes, "notCopied": made.not_copied}

    def roll_back(self, message: Message) -> None:
        """On the main thread, between executions: make the names what they were."""
        held = self._copies.pop(message["snapshot"], None)
        if held is None:
            text = "there is no copy of the namespace by this id"
            problem = {"type": "problem", "request": message["request"], "code": "NO_TRANSACTION", "message": text}
            self._send(problem)
            return
        held.put_back(self._interrupts)
        self._executor.leave_fork()
        self._send({"type": "reply", "request": message["request"], "value": {}})

    def discard(self, snapshot: object) -> None:
        """From the protocol thread: it is not needed any more. What is queued later finds it gone."""
        self._discarded.append(snapshot)
        _call_soon_threadsafe(self._loop, self.begin)

    def begin(self) -> None:
        """On the loop, before each item of the queue too: forget what was discarded, and reap."""
        is_due = False
        while self._discarded:
            snapshot = self._discarded.popleft()
            held = [self._copies.pop(snapshot, None)] if isinstance(snapshot, str) else []
            self._end_twin(snapshot)
            # What it held goes here, and may have a `__del__` of the user's.
            quietly(self._interrupts, held.clear)
            self._executor.leave_fork()
            is_due = True
        if self.waiting.reap() and is_due and not self._is_reaping:
            self._is_reaping = True
            _call_later(self._loop, REAP_SECONDS, self._reap, REAP_SECONDS)

    def _end_twin(self, snapshot: object) -> None:
        """One that hangs in a hook of the user's does not see that its connection has ended."""
        pid = self._twins.pop(snapshot, 0) if isinstance(snapshot, str) else 0
        # A child that nobody has reaped: the number is its own.
        if pid and self.waiting.has(pid):
            with contextlib.suppress(OSError):
                _kill(pid, _SIGKILL)

    def _reap(self, pause: float) -> None:
        self._is_reaping = self.waiting.reap()
        if self._is_reaping:
            pause = min(2 * pause, LONGEST_REAP_SECONDS)
            _call_later(self._loop, pause, self._reap, pause)

    def copied(self, snapshot: object) -> Mapping[str, Any] | None:
        """The names of a copy; None where there is none. From any thread."""
        held = self._copies.get(snapshot) if isinstance(snapshot, str) else None
        return None if held is None else held.names

    def reset(self) -> None:
        """In a forked process: the worker's twins are no children of it."""
        self.waiting.forget_all()
        self._twins.clear()
        self._discarded.clear()
        self._is_reaping = False
