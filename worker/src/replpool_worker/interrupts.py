"""Interrupts that hit the execution they name, and nothing else.

The protocol thread checks, under the lock, that the named execution runs, and sends SIGINT to the main thread. The
handler there calls the user's own, or raises KeyboardInterrupt, only where user code is on the stack, told by the frame
of `run_beside` or `await_user_code`. Code of ours outside these never sees it. The same holds for every other signal
that user code handles; what comes at another time is late, and is delivered where user code begins or the loop turns.
"""

import asyncio
import contextlib
import signal
import sys
import threading
import time
import types
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

from .interpreter import Interpreter
from .signals import WAKE, Signals

T = TypeVar("T")

# How many interrupts of what is about to begin are kept.
EARLY = 64
# Seconds. The protocol thread, which reads nothing else meanwhile, waits no longer in sum than an interrupt is worth.
WAKE_PAUSES = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032)

# Bound here: user code patches modules, as tests do, and must not hit the worker (test_patched_modules.py).
_pthread_kill, _sleep, _get_ident, _getframe = signal.pthread_kill, time.sleep, threading.get_ident, sys._getframe
_Lock = threading.Lock
_call_soon, _call_soon_threadsafe = asyncio.BaseEventLoop.call_soon, asyncio.BaseEventLoop.call_soon_threadsafe


class Interrupts:
    """Which execution runs, whether it was interrupted, which signals wait. `report(error)` tells of a stray error."""

    def __init__(self, loop: asyncio.BaseEventLoop, report: Callable[[BaseException], None]) -> None:
        self._loop = loop
        self._report = report
        # A bound method is made anew at each access; the handler is known by its identity.
        self._handler = self._on_signal
        self._signals = Signals(self._handler)
        self._interpreter = Interpreter()
        self._lock = _Lock()
        self._main = threading.main_thread().ident or 0
        self._running: str | None = None
        self._shielded = 0
        self._cancelled_once = False
        self._late: deque[int] = deque()
        # How many SIGINTs came through.
        self._seen = 0
        # What interrupts named that was about to begin.
        self._early: deque[object] = deque(maxlen=EARLY)
        self._is_between = False
        # Whether an execution or a snapshot of this name is yet to begin.
        self.is_queued: Callable[[object], bool] = lambda _: False
        # Whether a SIGCHLD is none of user code's.
        self.is_child_ours: Callable[[], bool] = lambda: False
        # An interrupt named the running execution: decides its status.
        self.fired = False
        # What a signal raised while the execution awaited; its task was cancelled for it.
        self.cause: BaseException | None = None
        # The task of a running execution that awaits.
        self.task: asyncio.Task[None] | None = None

    def install(self) -> None:
        """Take SIGINT and stand before user code's handlers; on the main thread."""
        self._signals.install()

    def leave(self) -> None:
        """In a forked child of the user's: its signals are its own."""
        self._signals.leave()

    def reset(self) -> None:
        """In a twin, where no execution runs: the protocol thread of the worker may have held the lock."""
        self._lock = _Lock()
        self._early.clear()

    def begin(self, execution: str) -> None:
        """From now on an interrupt that names `execution` counts, whatever earlier code did to SIGINT.

        One that came before is due at once: where user code begins.
        """
        # While nothing runs: an interrupt that was sent to the former execution ends in here.
        self._signals.reset_interrupt()
        self._forget_interrupts()
        self._cancelled_once = False
        self.cause = None
        self.task = None
        with self._lock:
            self._running = execution
            self.fired = execution in self._early
            if self.fired:
                self._early.remove(execution)
        if self.fired:
            _pthread_kill(self._main, signal.SIGINT)

    @contextlib.contextmanager
    def between(self, name: str) -> Iterator[None]:
        """Run code of the user's between executions in here: an interrupt of `name`, or of what is queued, is for it.

        Inside of an execution that awaits it is that one's.
        """
        if self._running is not None:
            yield
            return
        self.begin(name)
        with self._lock:
            self._is_between = True
            is_due = any(self.is_queued(one) for one in self._early)
        if is_due:
            _pthread_kill(self._main, signal.SIGINT)
        try:
            yield
        finally:
            with self._lock:
                self._is_between = False
            self.end()

    def end(self) -> None:
        """From now on none does; one on its way is dropped by the handler."""
        with self._lock:
            self._running = None
        self._forget_interrupts()
        if self._late:
            _call_soon(self._loop, self._turn)

    def request(self, execution: object) -> None:
        """From the protocol thread: interrupt this execution, if it runs or, where none does, as soon as it begins."""
        with self._lock:
            if self._running is not None and self._running == execution:
                self.fired = True
            elif (self._running is not None and not self._is_between) or not self.is_queued(execution):
                return
            else:
                # No execution runs: this one is about to begin.
                self._early.append(execution)
                if not self._is_between:
                    return
                # What keeps it from beginning is to end, too.
            seen = self._seen
            _pthread_kill(self._main, signal.SIGINT)
        # It does not end a system call that the main thread was about to make, having let go of the interpreter; a
        # later signal does, and then Python looks for this one too. Measured: 3 of 100 sent right before a poll().
        for pause in WAKE_PAUSES:
            _sleep(pause)
            if self._seen != seen:
                return
            # User code may have taken the handler away, and by its default this signal ends a process.
            if not self._signals.can_wake():
                return
            _pthread_kill(self._main, WAKE)

    def run_user_code(self, function: Callable[[], T]) -> T:
        """Call what may be an execution's code; whatever a signal raises may come out of it, and only out of it."""

        def deliver_first() -> T:
            self._deliver()
            return function()

        return self.run_beside(deliver_first)

    def run_beside(self, function: Callable[[], T]) -> T:
        """Likewise for user code whose errors go nowhere (a `__del__`): late signals are not for it."""
        try:
            return function()
        finally:
            self._interpreter.take_back()

    async def await_user_code(self, function: Callable[[], Awaitable[T]]) -> T:
        """Await what may be user code, in the execution's own task."""
        try:
            self._deliver()
            return await function()
        finally:
            self._interpreter.take_back()

    def lend(self) -> None:
        """Inside `run_user_code`: put the user's tracing and recursion limit in force until it ends."""
        self._interpreter.lend()

    def __enter__(self) -> None:
        """Shield code of ours that user code called, on the main thread: half a frame would end the worker."""
        if _get_ident() == self._main:
            self._shielded += 1

    def __exit__(self, *_: object) -> None:
        if _get_ident() == self._main:
            self._shielded -= 1
            if self._late and not self._shielded and self._in_user_code(_getframe(1)):
                self._deliver()

    def _in_user_code(self, frame: types.FrameType | None) -> bool:
        while frame is not None:
            if frame.f_code in _ENTRIES:
                return True
            frame = frame.f_back
        return False

    def _on_signal(self, number: int, frame: types.FrameType | None) -> None:
        if number == signal.SIGINT:
            self._seen += 1
            if self._running is None:
                return
        elif number == signal.SIGCHLD and self.is_child_ours():
            return
        if not self._shielded and self._in_user_code(frame):
            self._signals.handler(number)(number, frame)
            return
        if number == signal.SIGINT and self.task is not None:
            if self._cancelled_once and asyncio.current_task(self._loop) is not None:
                # A background task keeps the loop from delivering the cancellation.
                raise KeyboardInterrupt
            self._cancelled_once = True
        self._late.append(number)
        # Not at once: the loop may stand in poll(), which only this wakes.
        _call_soon_threadsafe(self._loop, self._turn)

    def _deliver(self) -> None:
        while self._late:
            number = self._late.popleft()
            self._signals.handler(number)(number, _getframe(1))

    def _turn(self) -> None:
        """On the loop: the late signals, unless an execution is about to begin its code, where they go off."""
        if not self._late or (self._running is not None and self.task is None):
            return
        try:
            self.run_user_code(lambda: None)
        except BaseException as error:
            if self.task is None or self.task.done():
                self._report(error)
            else:
                self.cause = error
                self.task.cancel()

    def _forget_interrupts(self) -> None:
        for _ in range(self._late.count(signal.SIGINT)):
            self._late.remove(signal.SIGINT)


_ENTRIES = (Interrupts.run_beside.__code__, Interrupts.await_user_code.__code__)
