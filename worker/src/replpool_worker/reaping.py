"""Ending processes for good: what a worker left behind, and at the end everything below the launcher."""

import os
import signal
from collections.abc import Set as AbstractSet
from typing import Any

from . import WORKER_MARKER, kernel

# A fork bomb may outrun the rounds of stopping; it is then killed as found, and the next round finds the rest.
STOP_ROUNDS = 20


def exit_status(status: int) -> dict[str, Any]:
    """`{code}` or `{signal: "SIGKILL"}` of a wait status."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        try:
            return {"signal": signal.Signals(number).name}
        except ValueError:
            return {"signal": f"SIG{number}"}
    return {"code": os.WEXITSTATUS(status)}


class Kill:
    """The end of one worker with all that is its own; finished when nothing of it is left."""

    def __init__(self, worker: str, pid: int, spare: AbstractSet[int] = frozenset()) -> None:
        """`spare`: processes that are neither stopped nor killed, nor what is below them."""
        self.worker = worker
        self.pid = pid
        self._spare = spare
        self._killed: set[int] = set()
        self._is_number_ours = True

    @property
    def spares(self) -> bool:
        """Whether some were to be spared."""
        return bool(self._spare)

    def advance(self, others: AbstractSet[int], lives: bool) -> bool:
        """Kill what is found; `others` are living zygotes and workers not meant. Returns whether nothing is left.

        `lives` says that the worker itself was not reaped yet. If it was, and its pid names a process, then that is
        another: the number was given out again.
        """
        self._is_number_ours = lives or not kernel.stat(self.pid)
        # The cheap question first: a search reads /proc for every orphan.
        if any(kernel.stat(pid) for pid in self._killed):
            return False
        found = self._stop_all(others)
        for pid in found:
            kernel.signal(pid, signal.SIGKILL)
        self._killed = found
        return not found

    def _stop_all(self, others: AbstractSet[int]) -> set[int]:
        # Stopped first, so that nobody forks while the rest is looked for.
        stopped: set[int] = set()
        for _ in range(STOP_ROUNDS):
            new = self._find(others) - stopped
            if not new:
                break
            for pid in new:
                kernel.signal(pid, signal.SIGSTOP)
            stopped |= new
        return stopped

    def _find(self, others: AbstractSet[int]) -> set[int]:
        roots = {pid for pid in kernel.children(os.getpid()) if pid not in others and self._is_ours(pid)}
        found = roots | kernel.descendants(*roots)
        return found - self._spare - kernel.descendants(*self._spare)

    def _is_ours(self, pid: int) -> bool:
        if pid == self.pid:
            return self._is_number_ours
        fields = kernel.stat(pid)
        if not fields:
            return False
        if not self._is_number_ours:
            return kernel.environment_value(pid, WORKER_MARKER) == self.worker
        # Group and session keep their number while a member lives, so that it cannot be another worker's.
        return str(self.pid) in fields[2:4] or kernel.environment_value(pid, WORKER_MARKER) == self.worker


def kill_all_descendants() -> None:
    """Stop, then kill everything below this process, processes in sessions of their own included, and reap it all.

    The caller is the subreaper, so that whoever loses its parent becomes a child of it: when wait finds no child, none
    is left. A process that forked while it was being killed is found in the next round, which its death starts.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        seen: set[int] = set()
        for _ in range(STOP_ROUNDS):
            new = kernel.descendants(os.getpid()) - seen
            if not new:
                break
            for pid in new:
                kernel.signal(pid, signal.SIGSTOP)
            seen |= new
        for pid in seen:
            kernel.signal(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
