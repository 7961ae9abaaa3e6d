"""The loop that all executions share, which code may run within itself.

Of old, code asks for the thread's loop, runs that until something is complete, and closes it. In a session that loop
already runs, and the code is called by it.
"""

import asyncio
import asyncio.events
import asyncio.tasks
import contextlib
import selectors
import signal
import socket
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

# Bound here: user code patches modules, as tests do, and must not hit the worker (test_patched_modules.py).
_monotonic, _send, _recv = time.monotonic, socket.socket.send, socket.socket.recv


class SessionLoop(asyncio.SelectorEventLoop):
    """Over poll(), which has no kernel object that a fork would share (epoll has)."""

    _ready: Any
    _run_once: Callable[[], None]
    _close_self_pipe: Callable[[], None]
    _make_self_pipe: Callable[[], None]
    _csock: socket.socket | None
    _ssock: socket.socket
    _process_self_data: Callable[[bytes], None]

    def __init__(self) -> None:
        super().__init__(selectors.PollSelector())
        # Held where an interrupt would leave the loop in two minds.
        self.shield: AbstractContextManager[Any] = contextlib.nullcontext()
        self._stopping = False

    def time(self) -> float:
        """As asyncio's."""
        return _monotonic()

    def _write_to_self(self) -> None:
        """Wake the loop; from any thread and from a signal's handler."""
        end = self._csock
        if end is not None:
            with contextlib.suppress(OSError):
                _send(end, b"\0")

    def renew_self_pipe(self) -> None:
        """In a forked child: one of its own, or it would take the parent's wakeups."""
        former = -1 if self._csock is None else self._csock.fileno()
        self._close_self_pipe()
        self._make_self_pipe()
        wakeup = signal.set_wakeup_fd(-1)
        if wakeup != -1:
            assert self._csock is not None
            signal.set_wakeup_fd(self._csock.fileno() if wakeup == former else wakeup)

    def fds(self) -> set[int]:
        """Both ends of the pipe by which threads and signals wake it."""
        return {end.fileno() for end in (self._ssock, self._csock) if end is not None}

    def _read_from_self(self) -> None:
        with contextlib.suppress(BlockingIOError, InterruptedError):
            while data := _recv(self._ssock, 4096):
                # Numbers of signals, for the handlers of add_signal_handler().
                self._process_self_data(data)

    def run_forever(self) -> None:
        """As asyncio's, and until stop() when called from within."""
        if self._is_turning():
            self._drive(lambda: False)
        else:
            super().run_forever()

    def run_until_complete(self, future: Any) -> Any:
        """As asyncio's; what is pending when an interrupt ends the wait is cancelled, for this loop goes on."""
        if not self._is_turning():
            return super().run_until_complete(future)
        is_new = not asyncio.isfuture(future)
        waited = asyncio.ensure_future(future, loop=self)
        try:
            self._drive(waited.done)
        except BaseException:
            if is_new and waited.done() and not waited.cancelled():
                # Its error is the one that comes out of the loop; nobody need be told again.
                waited.exception()
            elif is_new:
                waited.cancel()
            raise
        if not waited.done():
            raise RuntimeError("Event loop stopped before Future completed.")
        return waited.result()

    def close(self) -> None:
        """Nothing, while it runs: it lives as long as the session."""
        if not self._is_turning():
            super().close()

    def _is_turning(self) -> bool:
        return asyncio.events._get_running_loop() is self

    def _drive(self, is_done: Callable[[], bool]) -> None:
        """Turn until done or stopped, from within a callback of our own."""
        task = asyncio.tasks.current_task(self)
        # The turn that we are called in goes on to take as many callbacks as it saw.
        owed = len(self._ready)
        try:
            with self.shield:
                if task is not None:
                    asyncio.tasks._leave_task(self, task)
            while not is_done() and not self._stopping:
                self._run_once()
        finally:
            with self.shield:
                self._stopping = False
                if task is not None and asyncio.tasks.current_task(self) is None:
                    asyncio.tasks._enter_task(self, task)
                for _ in range(owed - len(self._ready)):
                    self.call_soon(len, ()).cancel()
