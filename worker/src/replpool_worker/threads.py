"""The threads of this process: ours, the user's, and libraries'. A fork has none but the one that makes it."""

import os
import sys
import threading
import time

from . import kernel
from .stored import attributes

# A thread that was joined may stand in /proc a moment longer, and one of ours that just began may not be known yet.
GOING_SECONDS = 0.02
LOOK_SECONDS = 0.0005
# As many as a sentence names.
NAMED = 5

# Bound here: user code patches modules, as tests do, and must not hit the worker (test_patched_modules.py).
_listdir, _get_native_id, _monotonic, _sleep = os.listdir, threading.get_native_id, time.monotonic, time.sleep
_main_thread = threading.main_thread
_active: dict[int, threading.Thread] = vars(threading)["_active"]

# Modules whose state is lost in a forked process, however quiet their threads are.
UNFIT = {
    "cupy": "CUDA does not work in a forked process",
    "pycuda": "CUDA does not work in a forked process",
    "numba.cuda.cudadrv.driver": "CUDA does not work in a forked process",
    "tensorflow": "its runtime does not work in a forked process",
    "jax": "its runtime does not work in a forked process",
}


class Threads:
    """The native ids of the threads that are the worker's own."""

    def __init__(self) -> None:
        self._ours: set[int] = set()

    def enter(self) -> None:
        """From a thread of ours, as it begins."""
        self._ours.add(_get_native_id())

    def restart(self) -> None:
        """In a forked process, on the one thread that it has."""
        self._ours = {_get_native_id()}
        # Python tells it anew from 3.13 on only.
        main = attributes(_main_thread())
        if "_native_id" in main:
            main["_native_id"] = _get_native_id()

    def known_to_python(self) -> list[str]:
        """Names of the living threads that `threading` knows, without ours. None of their own code is called."""
        living = _tasks()
        found = []
        for thread in list(_active.values()):
            fields = attributes(thread)
            number = fields.get("_native_id")
            # Without a number it is about to start; one that C started, and Python met, may be gone.
            if number in self._ours or (number is not None and number not in living):
                continue
            name = fields.get("_name")
            found.append(name if type(name) is str else "a thread without a name")
        return found

    def foreign(self) -> list[str]:
        """What the kernel calls all threads that are not ours; those that are ending are waited for."""
        deadline = _monotonic() + GOING_SECONDS
        while True:
            others = _tasks() - self._ours
            if not others or _monotonic() > deadline:
                return [_describe(number) for number in sorted(others)]
            _sleep(LOOK_SECONDS)


def unfit_module() -> str | None:
    """Why what was imported forbids a fork; None where nothing does. Nothing is imported, no user code is called."""
    modules = sys.modules
    for name, why in UNFIT.items():
        if name in modules:
            return f"{name.partition('.')[0]} is imported, and {why}"
    cuda = modules.get("torch.cuda")
    if cuda is not None and attributes(cuda).get("_initialized"):
        return "torch uses a GPU, and CUDA does not work in a forked process"
    return None


def sentence(names: list[str]) -> str:
    """The reason why not to fork beside these threads."""
    shown = ", ".join(name[:80] for name in names[:NAMED])
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    what = "a thread that runs" if len(names) == 1 else "threads that run"
    return f"the session has {what} beside its code, which a fork would lose: {shown}{more}"


def _tasks() -> set[int]:
    return {int(number) for number in _listdir("/proc/self/task")}


def _describe(number: int) -> str:
    # Read it may be too late; then it has no name any more.
    name = kernel.read(f"/proc/self/task/{number}/comm").decode("utf-8", "replace").strip()
    return f"{name or 'a thread'} (native thread {number})"
