"""A worker process: forked from a zygote, or started directly."""

import gc
import os
import resource
import signal
import socket
import sys
import warnings
from typing import NoReturn

from . import CAPABILITIES, EX_SOFTWARE, PROTOCOL_FDS, WORKER_MARKER, kernel, libraries
from .connection import Connection, Refused, hello, leave, protocol_fds
from .executor import die
from .first_in_child import first_in_child, install
from .frames import Message, ProtocolError
from .namespace import Namespace
from .output import Output, put_pipes
from .reseeding import reseed
from .session import Session
from .stdio import PumpedOutput, take_stdio
from .twin import SNAPSHOT


def _prepare() -> None:
    """What holds for every worker: signals as Python has them, no core files, its own folder first on the path."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    kernel.set_name("replpool-worker")
    sys.argv = [""]
    # `python -m` put the folder it was started in there; a session's is the one it is opened in.
    if sys.path and sys.path[0] == _STARTED_IN:
        sys.path[0] = ""
    elif "" not in sys.path:
        sys.path.insert(0, "")
    libraries.prepare()
    # Python 3.12 says so of every fork of a process with a thread, and the protocol's own is always there.
    warnings.filterwarnings("ignore", r"This process \(pid=\d+\) is multi-threaded", DeprecationWarning)


def forked(request: Message, namespace: Namespace) -> NoReturn:
    """Be the worker that a `fork` asked for. Never returns."""
    try:
        os.setsid()
        gc.enable()
        reseed()
        worker = str(request["worker"])
        kernel.overwrite_environment(WORKER_MARKER, worker)
        os.environ[WORKER_MARKER] = worker
        _prepare()
        endpoint = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        endpoint.connect(request["socket"])
        fd = endpoint.detach()
        os.environ[PROTOCOL_FDS] = f"{fd},{fd}"
        connection = Connection(fd, fd)
        # The zygote has installed what calls it, before any code of the template's (zygote.py).
        first_in_child(connection.forget)
        connection.greet(hello("socket", (*CAPABILITIES, SNAPSHOT), request["token"]))
        put_pipes(request["directory"])
        session = Session(connection, namespace, can_fork=True)
        session.stacks.offer(request["directory"])
        session.run(Output())
    except (Refused, ProtocolError, EOFError, TimeoutError, ConnectionError, FileNotFoundError) as error:
        os._exit(leave(error))
    except BaseException as error:
        die(error)
    finally:
        # Never back into the zygote's code; user code may have taken the names above out of builtins.
        os._exit(EX_SOFTWARE)


def main() -> int:
    """Be a worker started directly, on PYREPL_PROTOCOL_FDS or on stdin and stdout. Returns 76 where it is refused."""
    install()
    try:
        fds = protocol_fds()
        transport = "stdio" if fds is None else "fds"
        connection = Connection(*(fds or take_stdio()))
        first_in_child(connection.forget)
        os.environ[PROTOCOL_FDS] = ",".join(map(str, connection.fds))
        connection.greet(hello(transport))
    except (Refused, ProtocolError, EOFError, TimeoutError, ConnectionError) as error:
        return leave(error)
    try:
        _prepare()
        session = Session(connection, Namespace())
        session.run(PumpedOutput(session.emit_output) if transport == "stdio" else Output())
    except BaseException as error:
        die(error)
    return 0


_STARTED_IN = os.getcwd()
