"""The launcher's end of one zygote. That runs code of the template's author: nothing it does or omits holds us up."""

import fcntl
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Iterator

from . import kernel
from .frames import FrameReader, Message, ProtocolError, decode, encode

# Some thousand fork requests.
UNSENT_BYTES = 1024 * 1024
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
        # Why it was given up, where it did not just end.
        self.fault: str | None = None
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
        os.set_blocking(self.fd, False)
        self._reader = FrameReader(self.fd)
        self._unsent = bytearray()

    @property
    def awaited(self) -> int:
        """What poll() is to wait for."""
        return select.POLLIN | (select.POLLOUT if self._unsent else 0)

    def send(self, message: Message) -> None:
        """Send a request, or keep it until there is room; lost where the zygote is dead, which its exit tells."""
        self._unsent += encode(message, "msgpack")
        self.flush()
        if len(self._unsent) > UNSENT_BYTES:
            self.give_up("it does not read its requests")

    def flush(self) -> None:
        """Write what there is room for."""
        try:
            while self._unsent:
                del self._unsent[: os.write(self.fd, self._unsent)]
        except BlockingIOError:
            return
        except OSError:
            self._unsent.clear()

    def receive(self) -> Iterator[Message]:
        """The messages that are there. One that is none, or the end of file, is the end of the zygote."""
        while self.open:
            try:
                yield decode(self._reader.read(), "msgpack")
            except BlockingIOError:
                return
            except (EOFError, OSError):
                # A zygote that closed its socket and lives on is of no use.
                self.give_up(None)
            except ProtocolError as error:
                self.give_up(str(error))

    def give_up(self, fault: str | None) -> None:
        """Kill it, and listen no more; its exit tells the agent. It is our child and not reaped: the pid is its own."""
        self.open = False
        self.fault = fault
        kernel.signal(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Close the socket."""
        self.open = False
        os.close(self.fd)
