"""The launcher's end of one zygote."""

import fcntl
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator

from .frames import FrameReader, Message, ProtocolError, decode, encode, write_all

RESET_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE)


class ZygoteHandle:
    """A zygote process and its socketpair. Frames between the two are msgpack without numbers."""

    def __init__(self, name: str, environment: dict[str, str]) -> None:
        """Start it. Raises OSError."""
        self.name = name
        self.started = time.monotonic()
        self.ready = False
        self.failed = False
        self.open = True
        self.forking: list[str] = []
        ours, theirs = socket.socketpair()
        with theirs:
            self.fd = ours.detach()
            # The number need only be free in the zygote: posix_spawn's dup2 onto itself would keep close-on-exec.
            spare = fcntl.fcntl(theirs, fcntl.F_DUPFD, 3)
            try:
                command = [sys.executable, "-m", "replpool_worker", "zygote", str(spare)]
                self.pid = os.posix_spawn(
                    sys.executable,
                    command,
                    environment,
                    file_actions=[(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0)],
                    setsigdef=RESET_SIGNALS,
                    setsigmask=[],
                )
            finally:
                os.close(spare)
        self._reader = FrameReader(self.fd)

    def send(self, message: Message) -> None:
        """A request; lost where the zygote is dead, which its exit tells."""
        try:
            write_all(self.fd, encode(message, "msgpack"))
        except (BrokenPipeError, ConnectionResetError):
            self.open = False

    def receive(self) -> Iterator[Message]:
        """The next message and all that stand in the buffer behind it; none at the end of file."""
        while self.open:
            try:
                body = self._reader.read()
            except (EOFError, ProtocolError):
                self.open = False
                return
            yield decode(body, "msgpack")
            if not self._reader.has_frame():
                return

    def close(self) -> None:
        """Close the socket."""
        self.open = False
        os.close(self.fd)
