"""Which of a session's processes the kernel takes where memory is short: the worker first, then the oldest twin."""

import contextlib

from . import kernel

FILE = "/proc/self/oom_score_adj"
# How much rather than its twins the worker is to be taken.
OOM_STEP = 300
MOST = 1000

# Bound here: user code patches modules, as tests do, and must not hit the worker (test_patched_modules.py).
_open = open


class OomScore:
    """This process' `oom_score_adj`, as a step above what it was before the first fork. Best effort."""

    def __init__(self) -> None:
        self._base: int | None = None
        self._step = 0

    def learn(self) -> None:
        """Before a fork: what it is that all forks begin with."""
        if self._base is None:
            with contextlib.suppress(ValueError):
                self._base = int(kernel.read(FILE))

    def set_step(self, step: int) -> None:
        """Be at the base and this much. Raising needs no right; to come down to the base none that we did not have."""
        if step == self._step or self._base is None:
            return
        self._step = step
        with contextlib.suppress(OSError), _open(FILE, "wb", buffering=0) as file:
            file.write(b"%d" % min(MOST, self._base + step))
