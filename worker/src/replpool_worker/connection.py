"""One side of a numbered connection: the hello, then frames with `n` and `ack`."""

import contextlib
import os
import platform
import select
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeGuard

from . import CAPABILITIES, CODECS, PROTOCOL_FDS, PROTOCOL_VERSIONS, kernel
from .frames import FrameReader, Message, ProtocolError, decode, encode, write_all

HELLO_SECONDS = 10.0
POLL_SECONDS = 0.00005
EX_PROTOCOL = 76

# Bound here: user code patches modules, as tests do, and must not hit the worker (test_patched_modules.py).
_fstat, _close, _write, _Lock = os.fstat, os.close, os.write, threading.Lock
_monotonic, _sleep, _poll, _python_version = time.monotonic, time.sleep, select.poll, platform.python_version
_getpid = os.getpid


class Refused(Exception):
    """The agent refused us, or there is no common version; the process exits with status 76."""


def hello(transport: str, capabilities: Sequence[str] = CAPABILITIES, token: str | None = None) -> Message:
    """The first message of a worker or, with `capabilities=["launcher"]`, of the launcher."""
    message: Message = {
        "type": "hello",
        "protocol": list(PROTOCOL_VERSIONS),
        "codecs": list(CODECS),
        "language": "python",
        "languageVersion": _python_version(),
        "transport": transport,
        "capabilities": list(capabilities),
        "pid": _getpid(),
    }
    if token is not None:
        message["token"] = token
    return message


def protocol_fds() -> tuple[int, int] | None:
    """READ and WRITE out of PYREPL_PROTOCOL_FDS, closed to children; None where it is unset. Raises ProtocolError."""
    text = os.environ.get(PROTOCOL_FDS)
    if text is None:
        return None
    try:
        read, write = (int(part) for part in text.split(","))
        os.set_inheritable(read, False)
        os.set_inheritable(write, False)
    except (ValueError, OSError) as error:
        raise ProtocolError(f"{PROTOCOL_FDS}={text!r} does not name two open file descriptors: {error}") from error
    return read, write


class Connection:
    """Frames over a pair of blocking file descriptors. Any thread may send, one receives."""

    def __init__(self, read_fd: int, write_fd: int) -> None:
        # Wraps each send; the session puts its shield against interrupts here, for half a frame would end the worker.
        self.guard: Callable[[], AbstractContextManager[Any]] = contextlib.nullcontext
        self._begin(read_fd, write_fd)

    def _begin(self, read_fd: int, write_fd: int) -> None:
        self.fds = (read_fd, write_fd)
        self.codec = "json"
        self.closed = False
        self._files = self._identify()
        self._reader = FrameReader(read_fd)
        self._lock = _Lock()
        self._sent = 0
        self._received = 0

    def greet(self, message: Message, seconds: float | None = HELLO_SECONDS) -> None:
        """Exchange hellos and fix the codec. Raises Refused, ProtocolError, EOFError, TimeoutError (None: never)."""
        write_all(self.fds[1], encode(message, "json"))
        answer = decode(self._reader.read() if seconds is None else self._read_in_time(seconds), "json")
        if answer.get("type") == "refused":
            raise Refused(f"the agent refused this worker ({answer.get('code')}): {answer.get('message')}")
        if answer.get("type") != "hello" or answer.get("protocol") not in PROTOCOL_VERSIONS:
            raise Refused(
                f"no common protocol version: this worker speaks {list(PROTOCOL_VERSIONS)}, "
                f"the agent answered {answer.get('type')!r} with version {answer.get('protocol')!r}"
            )
        if answer.get("codec") not in CODECS:
            raise Refused(
                f"no common codec: this worker speaks {list(CODECS)}, the agent chose {answer.get('codec')!r}"
            )
        self.codec = answer["codec"]

    def _read_in_time(self, seconds: float) -> bytes:
        poll = _poll()
        poll.register(self.fds[0], select.POLLIN)
        deadline = _monotonic() + seconds
        # Not for its first byte alone: half a hello must not hang this worker.
        while not self._reader.has_frame():
            if not poll.poll(max(0.0, deadline - _monotonic()) * 1000):
                raise TimeoutError(f"no hello within {seconds:.0f} s")
            self._reader.take()
        return self._reader.read()

    def send(self, *messages: Message, settle: Callable[[], None] | None = None) -> None:
        """Number the messages and write them in one call. Raises FrameTooLarge (then none is sent) and OSError.

        `settle()` is called under the lock, before the messages are looked at: what it decides holds for all frames
        that come later, and for none that came before.
        """
        with self.guard(), self._lock:
            if settle is not None:
                settle()
            if self.closed:
                return
            # Never into a file of the user's that got the number.
            self._check_files()
            number = self._sent
            frames = []
            for message in messages:
                number += 1
                message["n"] = number
                message["ack"] = self._received
                frames.append(encode(message, self.codec))
            write_all(self.fds[1], frames[0] if len(frames) == 1 else b"".join(frames))
            # Last: deep in a recursion of the user's the calls above may raise, and a number must not be left out.
            self._sent = number

    def _check_files(self) -> None:
        if self._identify() != self._files:
            raise ProtocolError("code of the session closed or replaced the file descriptors of the protocol")

    def _identify(self) -> list[tuple[int, int] | None]:
        """Which files our descriptors are; None for one that is closed."""
        found: list[tuple[int, int] | None] = []
        for fd in self.fds:
            try:
                status = _fstat(fd)
                found.append((status.st_dev, status.st_ino))
            except OSError:
                found.append(None)
        return found

    def receive(self) -> Message:
        """The next new message. Raises EOFError and ProtocolError (a hole in the numbers included)."""
        while True:
            try:
                body = self._reader.read()
            except (OSError, EOFError):
                # The end of the connection, or of a file of the user's that got the number?
                self._check_files()
                raise
            message = decode(body, self.codec)
            number = message.get("n")
            if not _is_number(number) or not isinstance(message.get("type"), str):
                raise ProtocolError("a frame without a number or a type")
            if number <= self._received:
                continue
            if number != self._received + 1:
                raise ProtocolError(f"frame {number} after frame {self._received}: frames are missing")
            self._received = int(number)
            return message

    def wait_until_read(self, seconds: float) -> None:
        """Wait until the other side has read all that was sent, for so long at most."""
        deadline = _monotonic() + seconds
        while not self.closed and kernel.unread_by_peer(self.fds[1]) and _monotonic() < deadline:
            _sleep(POLL_SECONDS)

    def has_frame(self) -> bool:
        """Whether a whole frame waits in the buffer, invisible to poll()."""
        return self._reader.has_frame()

    def forget(self) -> None:
        """In a forked process: close our copies, so that the agent sees the worker's own end. Once is enough."""
        if self.closed:
            # The numbers may be another's files by now.
            return
        self.closed = True
        # Another thread of the parent may have held it at the fork.
        self._lock = _Lock()
        for fd in set(self.fds):
            with contextlib.suppress(OSError):
                _close(fd)

    def reopen(self, fd: int) -> None:
        """In a twin: another connection, numbered from the start; those who hold this object send through it."""
        self._begin(fd, fd)


def _is_number(number: Any) -> TypeGuard[int | float]:
    # JavaScript's msgpack carries integers of 2^32 and more as floats.
    return isinstance(number, int | float) and not isinstance(number, bool) and number >= 1 and number == number // 1


def leave(error: BaseException) -> int:
    """Say on fd 2 why there is no connection. Returns 76."""
    _write(2, f"replpool_worker: {error or type(error).__name__}\n".encode("utf-8", "backslashreplace"))
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush()
    return EX_PROTOCOL
