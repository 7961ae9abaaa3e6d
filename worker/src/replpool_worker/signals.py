"""Signal handlers of user code, known to Python under their own names and called by ours.

Python runs a handler between any two instructions of the main thread. One that raises (asyncio's for SIGINT, an alarm's
TimeoutError) would tear code of ours in half and the namespace would be lost. So the kernel's handler always is ours,
which knows where user code stands; `signal.signal` and `signal.getsignal` tell of the user's as if it were not there.
"""

import importlib
import os
import signal
import time
import types
from collections.abc import Callable
from typing import Any

from . import kernel

Handler = Callable[[int, types.FrameType | None], object]

# Sent by the launcher where an interrupt shows no effect. C code that keeps the interpreter and looks for signals now
# and then (a regular expression, arithmetic on huge integers) calls the handler, and that lets the protocol thread read
# which execution is to be interrupted. It says nothing itself, so it does no harm whenever it comes.
WAKE = signal.SIGRTMAX - 3
WAKE_SECONDS = 0.01

# Bound here: user code patches modules, as tests do, and must not hit the worker (test_patched_modules.py).
_pthread_sigmask, _getpid, _sleep = signal.pthread_sigmask, os.getpid, time.sleep


class Signals:
    """The user's handlers by number. `arrived(number, frame)` is called on the main thread, wherever it stands."""

    def __init__(self, arrived: Handler) -> None:
        self._arrived = arrived
        # The module below `signal`: whoever holds signal.signal from before comes through here too.
        self._native = importlib.import_module("_signal")
        self._set: Callable[[int, Any], Any] = self._native.signal
        self._get: Callable[[int], Any] = self._native.getsignal
        self._handlers: dict[int, Handler] = {}

    def install(self) -> None:
        """Take SIGINT, and stand before all handlers that user code installs from now on; on the main thread."""
        self._set(signal.SIGINT, self._arrived)
        self._set(WAKE, _let_others_run)
        vars(self._native).update(signal=self._signal, getsignal=self._getsignal)

    def reset_interrupt(self) -> None:
        """Take SIGINT back from whoever has it, ignores it or blocks it. One on its way arrives in here."""
        self._handlers.pop(signal.SIGINT, None)
        if self._get(signal.SIGINT) is not self._arrived:
            self._set(signal.SIGINT, self._arrived)
        if self._get(WAKE) == signal.SIG_DFL:
            # Of code that resets all signals; a handler of the user's stays.
            self._set(WAKE, _let_others_run)
        # A system call of the main thread delivers what is pending, and this one runs the handlers of what came.
        _pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

    def can_wake(self) -> bool:
        """Whether WAKE still comes to us, and not to a handler of the user's or to the kernel's default."""
        return self._get(WAKE) is _let_others_run and kernel.catches(_getpid(), WAKE)

    def handler(self, number: int) -> Handler:
        """What user code wants called; a KeyboardInterrupt for a SIGINT of which it said nothing."""
        default = signal.default_int_handler if number == signal.SIGINT else _nothing
        return self._handlers.get(number, default)

    def leave(self) -> None:
        """In a forked child of the user's, which is a plain process: its handlers are the kernel's again."""
        vars(self._native).update(signal=self._set, getsignal=self._get)
        for number, handler in {signal.SIGINT: self.handler(signal.SIGINT), **self._handlers}.items():
            if self._get(number) is self._arrived:
                self._set(number, handler)
        self._set(WAKE, self._native.SIG_DFL)

    def _signal(self, number: int, handler: Any, /) -> Any:
        """As Python's own, errors included, but that SIG_DFL leaves SIGINT to us: an interrupt never ends a session."""
        is_default_interrupt = number == signal.SIGINT and type(handler) is int and handler == signal.SIG_DFL
        if is_default_interrupt:
            former = self._shown(number, self._set(number, self._arrived))
            self._handlers.pop(number, None)
        elif callable(handler):
            former = self._shown(number, self._set(number, self._arrived))
            self._handlers[number] = handler
        else:
            former = self._shown(number, self._set(number, handler))
            self._handlers.pop(number, None)
        return former

    def _getsignal(self, number: int, /) -> Any:
        return self._shown(number, self._get(number))

    def _shown(self, number: int, native: Any) -> Any:
        return self.handler(number) if native is self._arrived else native


def _let_others_run(_number: int, _frame: types.FrameType | None) -> None:
    _sleep(WAKE_SECONDS)


def _nothing(_number: int, _frame: types.FrameType | None) -> None:
    """One whose handler was taken away while it came."""
