"""The session's snapshots: frozen forks (twin.py) and copies of the namespace (namespace_copy.py), by id."""

import asyncio
import contextlib
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from .child_waits import ChildWaits
from .executor import Executor
from .fork_safety import ForkSafety, Unsafe
from .frames import Message
from .interrupts import Interrupts
from .namespace import Namespace
from .namespace_copy import NamespaceCopy
from .output import Output
from .requests import Requests
from .session_loop import SessionLoop
from .stem import end
from .threads import Threads
from .twin import Forks

# Between two looks whether a twin that is not needed any more has ended.
REAP_SECONDS = 0.005
LONGEST_REAP_SECONDS = 0.1
# Names, for interrupts, what lets go of copies between executions; one of an execution that waits for that ends it.
CLEARING = "(what is not needed any more)"

# Bound here: user code patches modules, as tests do, and must not hit the worker (test_patched_modules.py).
_kill, _perf_counter, _SIGKILL = os.kill, time.perf_counter, signal.SIGKILL
_call_later, _call_soon_threadsafe = asyncio.BaseEventLoop.call_later, asyncio.BaseEventLoop.call_soon_threadsafe


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
        self._safety = ForkSafety(threads, requests)
        self._loop = loop
        self._send = send
        self.output: Output | None = None
        self.forks: Forks | None = None
        self.child_waits = ChildWaits()
        self._copies: dict[str, NamespaceCopy] = {}
        self._twins: dict[str, int] = {}
        self._ending: set[int] = set()
        self._garbage: list[object] = []
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
        forks = self._ready()
        with self._safety.hold():
            pid = forks.make_twin(message)
        if pid == 0:
            return 0
        self.child_waits.add(pid)
        try:
            self._safety.look_again()
        except Unsafe:
            _kill(pid, _SIGKILL)
            self.child_waits.reap_one(pid)
            raise
        self._twins[message["snapshot"]] = pid
        forks.prefer_worker(True)
        return pid

    def fork(self, message: Message) -> None:
        """On the main thread, between executions: a process for each of the branches."""
        began = _perf_counter()
        try:
            pids = self._branches(message)
        except Unsafe as error:
            problem = {"type": "problem", "request": message["request"], "code": "FORK_UNSAFE", "message": str(error)}
            self._send(problem)
            return
        if not pids:
            # We are a branch, and a session now.
            return
        value = {"pids": pids, "costMs": round((_perf_counter() - began) * 1000, 3)}
        self._send({"type": "reply", "request": message["request"], "value": value})

    def _branches(self, message: Message) -> list[int]:
        forks = self._ready()
        with self._safety.hold():
            pids = forks.make_branches(message, self.child_waits)
        try:
            if pids:
                self._safety.look_again()
        except Unsafe:
            end(pids, [one["branch"] for one in message["branches"]])
            raise
        return pids

    def _ready(self) -> Forks:
        """What forks this process, whose output is written out. Raises Unsafe."""
        if self.forks is None:
            raise Unsafe("this worker was started on its own, and only workers that a zygote forked can be forked")
        if self.output is not None:
            self.output.flush()
        return self.forks

    def _copy(self, message: Message) -> Message:
        made = NamespaceCopy(self._namespace, int(message.get("maxBytes") or 0))
        with self._interrupts.between(message["snapshot"]):
            made.take(self._interrupts)
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
        self._garbage += held.put_back(self._interrupts)
        self._executor.leave_fork()
        self._send({"type": "reply", "request": message["request"], "value": {}})
        self._clear(message["snapshot"])

    def discard(self, snapshot: object) -> None:
        """From the protocol thread: it is not needed any more. What is queued later finds it gone."""
        self._discarded.append(snapshot)
        _call_soon_threadsafe(self._loop, self.begin)

    def begin(self) -> None:
        """On the loop, before each item of the queue too: forget what was discarded, and reap."""
        self.child_waits.look()
        while self._discarded:
            snapshot = self._discarded.popleft()
            if isinstance(snapshot, str):
                if snapshot in self._copies:
                    # Nowhere else, for it is to go where it may be interrupted.
                    self._garbage.append(self._copies.pop(snapshot))
                self._end_twin(snapshot)
        self._clear(CLEARING)
        if not self._is_reaping:
            self._reap(REAP_SECONDS)

    def _clear(self, name: str) -> None:
        """Let go of what is not needed any more, which may have a `__del__` of the user's. An interrupt puts it off."""
        if self._garbage:
            with self._interrupts.between(name), contextlib.suppress(BaseException):
                self._interrupts.run_user_code(self._garbage.clear)
            self._executor.leave_fork()

    def _end_twin(self, snapshot: str) -> None:
        """One that hangs in a hook of the user's does not see that its connection has ended."""
        pid = self._twins.pop(snapshot, 0)
        # A child that nobody has reaped: the number is its own.
        if pid and self.child_waits.has(pid):
            self._ending.add(pid)
            with contextlib.suppress(OSError):
                _kill(pid, _SIGKILL)
        if pid and not self._twins and self.forks is not None:
            self.forks.prefer_worker(False)

    def _reap(self, pause: float) -> None:
        """Look again and again until the last that was discarded has ended."""
        self.child_waits.reap()
        self._ending = {pid for pid in self._ending if self.child_waits.has(pid)}
        self._is_reaping = bool(self._ending)
        if self._is_reaping:
            _call_later(self._loop, pause, self._reap, min(2 * pause, LONGEST_REAP_SECONDS))

    def copied(self, snapshot: object) -> Mapping[str, Any] | None:
        """The names of a copy; None where there is none. From any thread."""
        held = self._copies.get(snapshot) if isinstance(snapshot, str) else None
        return None if held is None else held.names

    def forget_copies(self) -> None:
        """In a branch: what its worker copied is none of it."""
        self._garbage += self._copies.values()
        self._copies.clear()

    def reset(self) -> None:
        """In a forked process: the worker's twins are no children of it."""
        self.child_waits.forget_all()
        self._twins.clear()
        self._ending.clear()
        self._discarded.clear()
        self._is_reaping = False
