"""One session: the protocol thread, and the main thread with the loop in which user code runs."""

import _thread
import asyncio
import contextlib
import os
import resource
import sys

from . import EX_SOFTWARE
from .connection import Connection
from .display import Display
from .executor import Executor, die
from .frames import FrameTooLarge, Message, ProtocolError
from .input import Input
from .interrupts import Interrupts
from .loop import allow_nested, make_loop
from .namespace import Namespace
from .output import Output
from .requests import Requests
from .tracebacks import describe, show_unraisable

# Python hands the interpreter to a waiting thread after this long; the default of 5 ms is what an interrupt of
# `while True: pass` would wait.
SWITCH_SECONDS = 0.0005
# Frames that stand between what was printed before and after them, and how long the agent may take to read the output
# before one (which never is empty where a thread floods it) and the frame itself.
SHOWN = ("display", "update_display", "clear_output")
OUTPUT_SECONDS = 0.1
FRAME_SECONDS = 1.0
# A loop that user code broke for good (it took builtins away) would fail for ever.
FAILURES = 1000

# Bound here: user code patches modules, as tests do, and must not hit the worker (test_patched_modules.py).
_exit, _call_soon = os._exit, asyncio.BaseEventLoop.call_soon


class Session:
    """Everything of one worker process behind its connection."""

    def __init__(self, connection: Connection, namespace: Namespace) -> None:
        self._connection = connection
        self._loop = make_loop()
        self._interrupts = Interrupts(self._loop, self._report)
        self._output: Output | None = None
        self._executor = Executor(self._loop, namespace, self._interrupts, connection.send, self._pipes)
        self._inputs = Input(self._emit, self._interrupts)
        self._displays = Display(self._emit)
        self._executor.inputs, self._executor.displays = self._inputs, self._displays
        self._requests = Requests(namespace, connection.send)
        self._namespace = namespace
        # How often the loop came back since it last did anything.
        self._failures = 0
        connection.guard = lambda: self._interrupts

    def run(self, output: Output) -> None:
        """Serve for ever, on the main thread; the process ends inside."""
        self._output = self._executor.output = output
        sys.setswitchinterval(SWITCH_SECONDS)
        self._interrupts.install()
        self._inputs.install()
        self._displays.install()
        allow_nested(self._loop, self._interrupts)
        if sys.unraisablehook is sys.__unraisablehook__:
            sys.unraisablehook = show_unraisable
        os.register_at_fork(after_in_child=self._in_forked_child)
        self._connection.send({"type": "ready"})
        # Not threading.Thread: user code that joins all threads but its own would wait for this one for ever. So
        # nothing on it may call threading.current_thread(), which would list it.
        _thread.start_new_thread(self._listen, ())
        failure: BaseException = RuntimeError("the event loop does not run")
        while self._failures < FAILURES:
            try:
                self._loop.run_forever()
            except BaseException as error:
                # KeyboardInterrupt and SystemExit out of a background task of the user's, which asyncio passes up.
                self._executor.leave_fork(error)
                failure = error
                self._report(error)
            # It came back because user code stopped it; an execution that waits must not be forgotten.
            self._failures += 1
            _call_soon(self._loop, self._turned)
        raise failure

    def _turned(self) -> None:
        """On the loop, which thereby is seen to work."""
        self._failures = 0
        self._executor.next()

    def _report(self, error: BaseException) -> None:
        """Print an error of the user's that belongs to no execution."""

        def write() -> None:
            sys.stderr.write("".join(describe(error)["traceback"]))

        # sys.stderr may be anything by now.
        with contextlib.suppress(BaseException):
            self._interrupts.run_beside(write)

    def emit_output(self, kind: str, data: bytes) -> None:
        """With the stdio transport: one `stdout` or `stderr` frame."""
        message: Message = {"type": kind, "data": data}
        self._connection.send(message, settle=lambda: self._place(message))

    def _pipes(self) -> list[int]:
        return self._output.pipes() if self._output else [0, 0]

    def _emit(self, message: Message) -> None:
        """Send what user code asked for, from any thread. Raises ValueError where it is too large."""
        # A withdrawn question stands for no place in the output: it has neither field.
        is_placed = message["type"] != "input_cancelled"
        # Output and frames go by different pipes. Where those are empty before a frame, and it is read before more is
        # written, all come in the order of the code; `pipes` alone lets later output pass the frame.
        is_shown = message["type"] in SHOWN
        if is_shown and self._output is not None:
            self._output.wait_until_read(OUTPUT_SECONDS)
        with self._interrupts:
            if is_placed and message["type"] != "warning":
                message["pipes"] = self._pipes()
            try:
                self._connection.send(message, settle=(lambda: self._place(message)) if is_placed else None)
            except FrameTooLarge as error:
                raise ValueError(str(error)) from None
        if is_shown:
            self._connection.wait_until_read(FRAME_SECONDS)

    def _place(self, message: Message) -> None:
        """Name the execution that runs, under the connection's lock."""
        if self._executor.running is not None:
            message["execution"] = self._executor.running

    def _listen(self) -> None:
        """The protocol thread. Its end is the worker's: 0 at end of file, 70 for what is not protocol."""
        try:
            while True:
                self._dispatch(self._connection.receive())
        except EOFError:
            _exit(0)
        except BaseException as error:
            die(error)
        finally:
            # Not reached, unless user code took the very names above out of builtins.
            _exit(EX_SOFTWARE)

    def _dispatch(self, message: Message) -> None:
        kind = message["type"]
        if kind == "execute":
            if not isinstance(message.get("execution"), str) or not isinstance(message.get("code"), str):
                raise ProtocolError("an execute without an execution's id or its code")
            self._executor.submit(message)
        elif kind == "interrupt":
            self._interrupts.request(message.get("execution"))
        elif kind == "input_reply":
            self._inputs.reply(message)
        elif kind in ("complete", "inspect", "variables"):
            self._requests.submit(message)
        elif kind == "heartbeat":
            self._connection.send({"type": "heartbeat"})
        elif kind == "open":
            self._open(message)
        elif kind == "shutdown":
            _exit(0)
        else:
            raise ProtocolError(f"a worker knows no {kind!r}")

    def _open(self, message: Message) -> None:
        """Turn an idle fork into a session: folder, environment, limits."""
        answer: Message = {"type": "opened", "session": message.get("session")}
        try:
            if message.get("cwd"):
                os.chdir(message["cwd"])
                os.environ["PWD"] = message["cwd"]
            for key, value in (message.get("env") or {}).items():
                if value is None:
                    os.environ.pop(str(key), None)
                else:
                    os.environ[str(key)] = str(value)
            limit = int(message.get("fileDescriptors") or 0)
            if limit:
                # Only root may go beyond the hard limit that we started with. `opened` has no field to say so: the
                # agent, whose limit that is too, tells of it.
                hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
                limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
                resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        except (OSError, ValueError) as error:
            answer["error"] = describe(error)
        self._connection.send(answer)

    def _in_forked_child(self) -> None:
        """In a child that user code forked: it is not the worker, and must not hold its connection open."""
        self._connection.forget()
        self._inputs.close()
        self._displays.closed = True
        with contextlib.suppress(ValueError):
            self._interrupts.leave()
        # It may come back to the loop, which then ends it; one whose execution still awaits goes on until that ends.
        with contextlib.suppress(Exception):
            self._loop.renew_self_pipe()
            _call_soon(self._loop, self._executor.next)
