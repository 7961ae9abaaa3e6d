"""The zygote: imports and warms once, then every session is a fork of it."""

import contextlib
import gc
import importlib
import os
import signal
import sys
import warnings
from typing import Any

from . import first_in_child, kernel, libraries
from .frames import FrameReader, Message, decode, encode, write_all
from .namespace import Namespace
from .shortening import shorten
from .tracebacks import describe


class Zygote:
    """One warmed process on its socketpair `link`; `serve` returns only in a forked worker."""

    def __init__(self, link: int) -> None:
        self._link = link
        self._reader = FrameReader(link)
        self.launcher = os.getppid()
        self.namespace = Namespace()

    def send(self, message: Message) -> None:
        """A message to the launcher."""
        write_all(self._link, encode(message, "msgpack"))

    def warm(self) -> bool:
        """Preload and run the warm-up code, whose names stay in the namespace of every session. Reports either end."""
        request = decode(self._reader.read(), "msgpack")
        libraries.prepare()
        try:
            for module in request["preload"]:
                importlib.import_module(module)
            code = compile(request["warmupCode"], "<warmup>", "exec", dont_inherit=True)
            exec(code, self.namespace.names)
            # Sessions find these imported: the session's own modules, and jedi, which takes 0.2 s to import.
            importlib.import_module("jedi")
            importlib.import_module("replpool_worker.worker")
        except BaseException as error:
            failure: Message = {"type": "failed", "error": describe(error)}
            shorten(failure)
            self.send(failure)
            return False
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        gc.collect()
        # Off until the fork: a collection here would write to pages that all sessions share.
        gc.disable()
        gc.freeze()
        self.send({"type": "ready"})
        return True

    def serve(self) -> Message | None:
        """Fork on request. Returns the request in the fork, None in the zygote when the launcher is gone."""
        while True:
            try:
                request = decode(self._reader.read(), "msgpack")
            except EOFError:
                return None
            made: list[str] = []
            try:
                for name in ("out", "err"):
                    path = os.path.join(request["directory"], name)
                    os.mkfifo(path, 0o600)
                    made.append(path)
                pid = self._fork()
            except OSError as error:
                for path in made:
                    with contextlib.suppress(OSError):
                        os.unlink(path)
                failure: dict[str, Any] = {"type": "fork_failed", "worker": request["worker"], "message": str(error)}
                self.send(failure | ({"errno": error.errno} if error.errno else {}))
                continue
            if pid == 0:
                os.close(self._link)
                return request
            self.send({"type": "forked", "worker": request["worker"], "pid": pid})

    def _fork(self) -> int:
        """Fork twice, so that the worker's parent is the launcher. Returns its pid, 0 in the worker. Raises OSError."""
        read, write = os.pipe()
        with warnings.catch_warnings():
            # Python 3.12 warns of forks beside threads; libraries' pools (OpenBLAS) stop theirs, and the template's
            # author is told in the documentation.
            warnings.simplefilter("ignore", DeprecationWarning)
            middle = os.fork()
            if middle:
                os.close(write)
                answer = os.read(read, 64)
                os.close(read)
                os.waitpid(middle, 0)
                number = int(answer or b"-1")
                if number < 0:
                    raise OSError(-number, os.strerror(-number))
                return number
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
            parent = os.getpid()
            try:
                pid = os.fork()
            except OSError as error:
                os.write(write, str(-(error.errno or 1)).encode())
                os._exit(1)
            if pid:
                os.write(write, str(pid).encode())
                os._exit(0)
        os.close(read)
        os.close(write)
        self._wait_for_launcher(parent)
        return 0

    def _wait_for_launcher(self, middle: int) -> None:
        """Return as a child of the launcher that dies with it; the middle process's own death signal tells when."""
        kernel.set_parent_death_signal(signal.SIGUSR1)
        if os.getppid() == middle:
            signal.sigwait({signal.SIGUSR1})
        kernel.set_parent_death_signal(signal.SIGKILL)
        if os.getppid() != self.launcher:
            os._exit(1)
        # One that came between the question and the wait is still pending, and would be its end once unblocked.
        while signal.sigtimedwait({signal.SIGUSR1}, 0):
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, set())


def main(link: int) -> int:
    """Run a zygote on the inherited socket `link`; in its forks, a worker."""
    os.setsid()
    launcher = os.getppid()
    kernel.set_parent_death_signal(signal.SIGKILL)
    if os.getppid() != launcher:
        return 1
    kernel.set_name("replpool-zygote")
    os.set_inheritable(link, False)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) != link:
            with contextlib.suppress(OSError):
                os.close(int(name))
    sys.argv = [""]
    first_in_child.install()
    zygote = Zygote(link)
    if not zygote.warm():
        return 1
    request = zygote.serve()
    if request is not None:
        from .worker import forked

        forked(request, zygote.namespace)
    return 0
