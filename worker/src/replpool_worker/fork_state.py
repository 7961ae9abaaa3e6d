"""What a fork changes though memory stays."""

import asyncio
import contextlib
import os
import random
import signal

from .session_loop import SessionLoop

# Bound here: user code patches modules, as tests do, and must not hit the worker (test_patched_modules.py).
_getppid, _getstate, _setstate = os.getppid, random.getstate, random.setstate
_getitimer, _setitimer, _set_wakeup_fd = signal.getitimer, signal.setitimer, signal.set_wakeup_fd
_set_running_loop = asyncio.events._set_running_loop
_TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)


class ForkState:
    """Taken in the worker before the fork, put back where a fork of it goes on."""

    def __init__(self) -> None:
        # Of a worker that is the launcher.
        self.parent = _getppid()
        # Python reseeds it in a child.
        self._random = _getstate()
        self._timers = [(timer, _getitimer(timer)) for timer in _TIMERS]
        # asyncio takes this and the loop of the thread away from a child (Python 3.12).
        self._wakeup = _set_wakeup_fd(-1)
        _set_wakeup_fd(self._wakeup)
        self._policy = getattr(asyncio.events, "_event_loop_policy", None)
        self._local = getattr(self._policy, "_local", None)

    def put_back(self, loop: SessionLoop) -> None:
        """The loop, and timers with what was left of them; all but random numbers."""
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

    def put_back_random(self) -> None:
        """Python's generator goes on as the worker's would have."""
        _setstate(self._random)


def leave_signals_alone() -> None:
    """In a fork that does not go on yet: the descriptor that tells the loop of signals is the worker's."""
    _set_wakeup_fd(-1)
