"""The launcher's end of the workers' stacks: it asks by a signal, and reads what comes."""

import contextlib
import os
import select
import time
from dataclasses import dataclass, field

from . import kernel
from .stacks import NAME, SIGNAL, users_frames

# As much as a FIFO holds by default; a worker leaves out what has no room.
MAX_BYTES = 64 * 1024
# A worker that is stopped, or has no processor, writes late or never: nobody waits longer for it than so.
ANSWER_SECONDS = 1.0
# A dump has no end mark. It is written in one go, by a thread that may lose its processor in between.
QUIET_SECONDS = 0.1


@dataclass
class _Dump:
    """One that is on its way."""

    fd: int
    latest: float
    due: float
    text: bytearray = field(default_factory=bytearray)


class StackReader:
    """The FIFOs of all workers, and the dumps that were asked for."""

    def __init__(self) -> None:
        self._fifos: dict[str, int] = {}
        self._dumps: dict[str, _Dump] = {}

    def prepare(self, worker: str, directory: str) -> None:
        """Before the fork: make the worker's FIFO and open it. Where that fails, its stacks are not to be had."""
        path = os.path.join(directory, NAME)
        with contextlib.suppress(OSError, ValueError):
            os.mkfifo(path, 0o600)
            self._fifos[worker] = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)

    def ask(self, worker: str, pid: int) -> bool:
        """Have a living worker write; returns whether it can. One that was asked already goes on."""
        fd = self._fifos.get(worker)
        if fd is None:
            return False
        if worker not in self._dumps:
            # What stands in there was not asked for: user code may signal itself. And no signal without its handler
            # and the FIFO's other end, which user code may have taken away: it would be the worker's end.
            if _read(fd) is None or not kernel.catches(pid, SIGNAL):
                return False
            latest = time.monotonic() + ANSWER_SECONDS
            self._dumps[worker] = _Dump(fd, latest, latest)
            kernel.signal(pid, SIGNAL)
        return True

    def adopt(self, worker: str, of: str) -> str | None:
        """The FIFO of `of` is `worker`'s from now on. Returns what came of a dump that was asked of `of`."""
        dump = self._dumps.pop(of, None)
        if dump is not None:
            dump.text += _read(dump.fd) or b""
        fd = self._fifos.pop(of, None)
        if fd is not None:
            self._fifos[worker] = fd
        return None if dump is None else _text(dump)

    def end_dump(self, worker: str) -> str | None:
        """The worker is dead; its FIFO may yet be a twin's. Returns what came of a dump that was asked for."""
        dump = self._dumps.pop(worker, None)
        if dump is not None:
            dump.text += _read(dump.fd) or b""
        return None if dump is None else _text(dump)

    def forget(self, worker: str) -> str | None:
        """Nothing is left of the worker. Returns what came of a dump that was asked for."""
        text = self.end_dump(worker)
        fd = self._fifos.pop(worker, None)
        if fd is not None:
            os.close(fd)
        return text

    def register(self, poll: select.poll) -> float | None:
        """Wait for what is on its way. Returns the milliseconds after which `collect` is due; None: only for events."""
        for dump in self._dumps.values():
            poll.register(dump.fd, select.POLLIN)
        if not self._dumps:
            return None
        return max(0.0, min(dump.due for dump in self._dumps.values()) - time.monotonic()) * 1000 + 1

    def collect(self) -> list[tuple[str, str]]:
        """Read. Returns `(worker, text)` of the dumps that are complete; the text is empty where nothing came."""
        done = []
        for worker, dump in list(self._dumps.items()):
            data = _read(dump.fd)
            now = time.monotonic()
            if data:
                dump.text += data
                dump.due = min(dump.latest, now + QUIET_SECONDS)
            # Where nobody has the other end any more (user code closed it), nothing will come.
            if data is None or now >= dump.due or len(dump.text) >= MAX_BYTES:
                del self._dumps[worker]
                done.append((worker, _text(dump)))
        return done


def _read(fd: int) -> bytes | None:
    """What stands in a FIFO now, at most as much as is kept; None at its end."""
    try:
        return os.read(fd, MAX_BYTES) or None
    except BlockingIOError:
        return b""


def _text(dump: _Dump) -> str:
    return users_frames(bytes(dump.text[:MAX_BYTES]).decode("utf-8", "backslashreplace"))
