"""Interrupts that hit the execution they name, and nothing else.

The protocol thread checks, under the lock, that the named execution runs, and sends SIGINT to the main thread. The
handler there checks again: it raises only where user code is on the stack, told by the frame of `run_user_code` or
`await_user_code`, and only for the execution it was meant for. Code of ours outside these never sees it.
"""

import asyncio
import signal
import sys
import threading
import types
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


class Interrupts:
    """Which execution runs, and which was named by an interrupt."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._main = threading.main_thread().ident or 0
        self._running: str | None = None
        self._target: str | None = None
        self._shielded = 0
        self._cancelled_once = False
        self._waiting = False
        # The running execution was interrupted: decides its status.
        self.fired = False
        # The task of a running execution that awaits.
        self.task: asyncio.Task[None] | None = None

    def install(self) -> None:
        """Take SIGINT; on the main thread."""
        signal.signal(signal.SIGINT, self._on_signal)

    def begin(self, execution: str) -> None:
        """From now on an interrupt that names `execution` counts."""
        self.fired = False
        self._waiting = False
        self._cancelled_once = False
        self.task = None
        with self._lock:
            self._running = execution

    def end(self) -> None:
        """From now on none does; one on its way is dropped by the handler."""
        with self._lock:
            self._running = None
            self._target = None

    def request(self, execution: object) -> None:
        """From the protocol thread: interrupt this execution, if it runs."""
        with self._lock:
            if self._running is not None and self._running == execution:
                self._target = self._running
                signal.pthread_kill(self._main, signal.SIGINT)

    def run_user_code(self, function: Callable[[], T]) -> T:
        """Call what may be user code; KeyboardInterrupt may come out of it, and only out of it."""
        self._check()
        return function()

    async def await_user_code(self, function: Callable[[], Awaitable[T]]) -> T:
        """Await what may be user code, in the execution's own task."""
        self._check()
        return await function()

    def _check(self) -> None:
        if self._waiting:
            self._waiting = False
            self.fired = True
            raise KeyboardInterrupt

    def __enter__(self) -> None:
        """Shield code of ours that user code called, on the main thread: half a frame would end the worker."""
        if threading.get_ident() == self._main:
            self._shielded += 1

    def __exit__(self, *_: object) -> None:
        if threading.get_ident() == self._main:
            self._shielded -= 1
            if not self._shielded and self._waiting and self._in_user_code(sys._getframe(1)):
                self._check()

    def _in_user_code(self, frame: types.FrameType | None) -> bool:
        while frame is not None:
            if frame.f_code in _ENTRIES:
                return True
            frame = frame.f_back
        return False

    def _on_signal(self, _number: int, frame: types.FrameType | None) -> None:
        target, self._target = self._target, None
        if target is None or target != self._running:
            return
        if self._shielded:
            self._waiting = True
        elif self._in_user_code(frame):
            self.fired = True
            raise KeyboardInterrupt
        elif self.task is None:
            # Before its code (then it is raised there) or behind it (then begin() forgets it).
            self._waiting = True
        elif self._cancelled_once and asyncio.current_task(self._loop) is not None:
            # A background task keeps the loop from delivering the cancellation.
            raise KeyboardInterrupt
        else:
            self.fired = True
            self._cancelled_once = True
            # Not task.cancel(): the loop may stand in poll(), which only this wakes.
            self._loop.call_soon_threadsafe(self._cancel, self.task)

    def _cancel(self, task: asyncio.Task[None]) -> None:
        if task is self.task and not task.done():
            task.cancel()


_ENTRIES = (Interrupts.run_user_code.__code__, Interrupts.await_user_code.__code__)
