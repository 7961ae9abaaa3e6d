"""`sys.stdin`: text and bytes over the input protocol, a question to the client for each line that is read."""

import io
import operator
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

ENCODING = "utf-8"
ERRORS = "surrogateescape"

# Bound here: user code patches modules, as tests do, and must not hit the worker (test_patched_modules.py).
_Lock, _index = threading.Lock, operator.index


class Lines:
    """What was answered and not yet read. `ask()` gives the next line, with its newline; it raises EOFError."""

    def __init__(self, ask: Callable[[], str], shield: AbstractContextManager[Any]) -> None:
        self._ask = ask
        self._shield = shield
        self.forget()

    def forget(self) -> None:
        """Drop the rest of a line, which answered an execution that has ended; and a lock that a fork copied."""
        self._lock = _Lock()
        self._held = bytearray()

    def take_line(self) -> str | None:
        """The rest of a line, with its newline; None where nothing is held. Never asks."""
        with self._shield, self._lock:
            return decode(self._cut(_line(self._held) or len(self._held))) if self._held else None

    def read(self, enough: Callable[[bytearray], int], peek: bool = False) -> bytes:
        """Take `enough(held)` bytes; where that is 0, ask for a line more. At the end of the input what there is.

        The end holds for this read alone, as on a terminal: the next one asks again.
        """
        while True:
            with self._shield, self._lock:
                size = enough(self._held)
                if size:
                    return bytes(self._held[:size]) if peek else self._cut(size)
            try:
                # Without the lock: several threads may wait, each for a line of its own.
                line = self._ask()
            except EOFError:
                with self._shield, self._lock:
                    return self._cut(len(self._held))
            with self._shield, self._lock:
                # A lone surrogate, which JSON can carry, is no reason to fail.
                self._held += line.encode(ENCODING, "surrogatepass")

    def _cut(self, size: int) -> bytes:
        taken = bytes(self._held[:size])
        del self._held[:size]
        return taken


def decode(data: bytes | bytearray) -> str:
    """As text; what is not UTF-8 comes back as it was when it is encoded again."""
    return data.decode(ENCODING, ERRORS)


def _line(held: bytearray) -> int:
    """The bytes until the newline, with it; 0 where there is none."""
    return held.find(b"\n") + 1


def _characters(held: bytearray, count: int) -> int:
    """The bytes of the first so many characters; 0 where there are fewer."""
    if len(held) < count:
        return 0
    text = decode(held)
    return len(text[:count].encode(ENCODING, ERRORS)) if len(text) >= count else 0


def _first(*sizes: int) -> int:
    """The smallest that is not 0; 0 where all are."""
    return min(filter(None, sizes), default=0)


class _Input(io.IOBase):
    """What text and bytes have alike."""

    name = "<stdin>"
    mode = "r"

    def readable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        """0, which is /dev/null: whoever takes it (a child process, select) finds the end there, and does not fail."""
        return 0

    def _count(self, size: int | None) -> int:
        if self.closed:
            raise ValueError("I/O operation on closed file.")
        return -1 if size is None else _index(size)


class BytesInput(_Input, io.BufferedIOBase):
    """`sys.stdin.buffer`."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def read(self, size: int | None = -1, /) -> bytes:
        """So many bytes, or all until the end of the input."""
        count = self._count(size)
        if count == 0:
            return b""
        return self._lines.read(lambda held: 0 if count < 0 or len(held) < count else count)

    def read1(self, size: int = -1, /) -> bytes:
        """What is there, at most so many bytes; a line where nothing is."""
        count = self._count(size)
        if count == 0:
            return b""
        return self._lines.read(lambda held: len(held) if count < 0 else min(count, len(held)))

    def peek(self, size: int = 0, /) -> bytes:
        """What is there, or the next line, and leave it there."""
        self._count(size)
        return self._lines.read(len, peek=True)

    def readinto(self, buffer: Any, /) -> int:
        """Fill the buffer, as far as the input goes."""
        return self._into(self.read, buffer)

    def readinto1(self, buffer: Any, /) -> int:
        """What is there, as far as the buffer goes."""
        return self._into(self.read1, buffer)

    def readline(self, size: int | None = -1, /) -> bytes:
        """A line with its newline; empty at the end of the input."""
        count = self._count(size)
        if count == 0:
            return b""
        limit = max(count, 0)
        return self._lines.read(lambda held: _first(_line(held), limit if len(held) >= limit else 0))

    @staticmethod
    def _into(read: Callable[[int], bytes], buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        data = read(len(view))
        view[: len(data)] = data
        return len(data)


class TextInput(_Input, io.TextIOBase):
    """`sys.stdin` itself. It and `buffer` read the same bytes, so that they mix in order."""

    encoding = ENCODING
    errors = ERRORS
    newlines = None
    line_buffering = False
    write_through = False

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self.buffer = BytesInput(lines)

    def read(self, size: int | None = -1, /) -> str:
        """So many characters, or all until the end of the input."""
        count = self._count(size)
        if count == 0:
            return ""
        return decode(self._lines.read(lambda held: 0 if count < 0 else _characters(held, count)))

    def readline(self, size: int | None = -1, /) -> str:  # type: ignore[override]
        """A line with its newline; empty at the end of the input."""
        count = self._count(size)
        if count == 0:
            return ""
        return decode(self._lines.read(lambda held: _first(_line(held), 0 if count < 0 else _characters(held, count))))

    def reconfigure(self, **_: Any) -> None:
        """Answers are text, and come as UTF-8 whatever a program of a terminal would ask for."""
