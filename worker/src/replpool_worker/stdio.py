"""Protocol on stdin and stdout: the user's fds 1 and 2 are then pipes of ours, pumped into frames."""

import _thread
import fcntl
import os
import select
import termios
import threading
from array import array
from collections.abc import Callable

from .output import Output, widen

CHUNK_BYTES = 256 * 1024

# Bound here: user code patches modules, as tests do, and must not hit the worker (test_patched_modules.py).
_read, _ioctl, _poll = os.read, fcntl.ioctl, select.poll


def take_stdio() -> tuple[int, int]:
    """Move fds 0 and 1 out of the user's reach, /dev/null over 0. Returns the pair for the protocol."""
    pair = fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, 3), fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, 3)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return pair


class PumpedOutput(Output):
    """Output whose pipes this process reads itself."""

    def __init__(self, emit: Callable[[str, bytes], None]) -> None:
        """`emit(type, data)` sends one `stdout` or `stderr` frame."""
        self._emit = emit
        self._pumps = [self._rewire(1, "stdout"), self._rewire(2, "stderr")]
        super().__init__()
        for pump in self._pumps:
            # Not threading.Thread: user code that joins all threads but its own would wait for it for ever.
            _thread.start_new_thread(pump.run, ())

    def _rewire(self, fd: int, kind: str) -> "_Pump":
        read, write = os.pipe()
        widen(write)
        os.dup2(write, fd)
        os.close(write)
        return _Pump(read, kind, self._emit)

    def fds(self) -> set[int]:
        """Likewise, with the ends that are read."""
        return {*super().fds(), *(pump.fd for pump in self._pumps)}

    def pipes(self) -> list[int]:
        """Send what stands in the pipes; nothing is left for the agent to read."""
        self.flush()
        for pump in self._pumps:
            pump.drain()
        return [0, 0]


class _Pump:
    def __init__(self, fd: int, kind: str, emit: Callable[[str, bytes], None]) -> None:
        self.kind = kind
        self.fd = fd
        self._emit = emit
        self._lock = threading.Lock()

    def run(self) -> None:
        """Thread: send what comes, until every writing end is closed."""
        poll = _poll()
        poll.register(self.fd, select.POLLIN)
        while True:
            ((_, events),) = poll.poll()
            if not self.drain() and events & select.POLLHUP:
                return

    def drain(self) -> int:
        """Send what stands in the pipe now, in order. Returns the bytes."""
        with self._lock:
            answer = array("i", [0])
            _ioctl(self.fd, termios.FIONREAD, answer)
            left = answer[0]
            while left > 0:
                data = _read(self.fd, min(left, CHUNK_BYTES))
                left -= len(data)
                self._emit(self.kind, data)
            return answer[0]
