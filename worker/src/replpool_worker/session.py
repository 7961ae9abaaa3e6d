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
from .forking import unless_ours
from .frames import FrameTooLarge, Message, ProtocolError
from .handles import handles
from .input import Input
from .interrupts import Interrupts
from .loop import allow_nested, make_loop
from .namespace import Namespace
from .output import Output
from .requests import Requests
from .snapshots import Snapshots
from .stacks import StackDump
from .threads import Threads
from .tracebacks import describe, show_unraisable
from .twin import Forks

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
_exit, _start_new_thread = os._exit, _thread.start_new_thread
_call_soon = asyncio.BaseEventLoop.call_soon


class Session:
    """Everything of one worker process behind its connection."""

    def __init__(self, connection: Connection, namespace: Namespace, can_fork: bool = False) -> None:
        self._connection = connection
        self._loop = make_loop()
        self._interrupts = Interrupts(self._loop, self._report)
        self._output: Output | None = None
        self._executor = Executor(self._loop, namespace, self._interrupts, connection.send, self._pipes)
        self._inputs = Input(self._emit, self._interrupts)
        self._displays = Display(self._emit)
        self._executor.inputs, self._executor.displays = self._inputs, self._displays
        self._threads = Threads()
        self._snapshots = Snapshots(
            namespace=namespace,
            executor=self._executor,
            interrupts=self._interrupts,
            requests=lambda: self._requests,
            threads=self._threads,
            loop=self._loop,
            send=connection.send,
        )
        self._requests = Requests(namespace, connection.send, self._threads, self._snapshots.copied)
        if can_fork:
            self._snapshots.forks = Forks(connection, self._loop, self)
        self._executor.begin = self._snapshots.begin
        self._interrupts.is_queued = self._executor.is_queued
        self._interrupts.is_child_ours = self._snapshots.child_waits.only_twins_ended
        self.stacks = StackDump()
        # How often the loop came back since it last did anything.
        self._failures = 0
        connection.guard = lambda: self._interrupts

    def run(self, output: Output) -> None:
        """Serve for ever, on the main thread; the process ends inside."""
        self._output = self._executor.output = self._snapshots.output = output
        self._threads.enter()
        sys.setswitchinterval(SWITCH_SECONDS)
        self._interrupts.install()
        self._inputs.install()
        self._displays.install()
        allow_nested(self._loop, self._interrupts)
        if sys.unraisablehook is sys.__unraisablehook__:
            sys.unraisablehook = show_unraisable
        os.register_at_fork(after_in_child=unless_ours(self._in_forked_child))
        self._snapshots.child_waits.install()
        self._begin()
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

    def _begin(self) -> None:
        self._connection.send({"type": "ready"})
        # Not threading.Thread: user code that joins all threads but its own would wait for this one for ever. So
        # nothing on it may call threading.current_thread(), which would list it.
        _start_new_thread(self._listen, ())

    def reset(self) -> None:
        """In a twin: what the worker's other threads held is not held here, and no thread is here."""
        self._threads.restart()
        self._interrupts.reset()
        self._requests.restart()
        self._snapshots.reset()

    def answer(self, message: Message) -> None:
        """In a frozen twin: a question about the namespace, on this thread."""
        self._requests.answer(message)

    def leave(self, directory: str) -> None:
        """In a branch that goes on as a session of its own: output and stacks go to the FIFOs of this folder."""
        self.stacks.withdraw()
        if self._output is not None:
            self._output.move(directory)
        self.stacks.offer(directory)
        self._snapshots.forget_copies()

    def take_over(self) -> None:
        """In a twin or a branch that becomes a worker."""
        self._executor.take_over()
        self._begin()

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
        self._threads.enter()
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
        elif kind in ("snapshot", "rollback"):
            self._snapshot(kind, message)
        elif kind == "fork":
            self._fork(message)
        elif kind == "handles":
            items = handles(self._own_fds(), self._snapshots.child_waits.has)
            self._connection.send({"type": "reply", "request": message.get("request"), "value": {"items": items}})
        elif kind == "discard":
            self._snapshots.discard(message.get("snapshot"))
        elif kind == "open":
            self._open(message)
        elif kind == "shutdown":
            _exit(0)
        else:
            raise ProtocolError(f"a worker knows no {kind!r}")

    def _own_fds(self) -> set[int]:
        ends = set() if self._output is None else self._output.fds()
        return {*self._connection.fds, *ends, *self._loop.fds(), *self.stacks.fds()}

    def _snapshot(self, kind: str, message: Message) -> None:
        kinds = message.get("kinds")
        if not isinstance(message.get("snapshot"), str) or "request" not in message:
            raise ProtocolError(f"a {kind} without a request or an id")
        if kind == "rollback":
            self._executor.submit_task(lambda: self._snapshots.roll_back(message), message["snapshot"])
            return
        if not isinstance(kinds, list) or not kinds or any(one not in ("fork", "copy") for one in kinds):
            raise ProtocolError("a snapshot of kinds that this worker does not know")
        self._executor.submit_task(lambda: self._snapshots.take(message), message["snapshot"])

    def _fork(self, message: Message) -> None:
        branches = message.get("branches")
        if not isinstance(branches, list) or not branches or not all(isinstance(one, dict) for one in branches):
            raise ProtocolError("a fork without branches")
        texts = [message.get("socket"), *(one.get(key) for one in branches for key in ("branch", "token"))]
        if "request" not in message or not all(isinstance(text, str) for text in texts):
            raise ProtocolError("a fork without a request, a socket or a token")
        self._executor.submit_task(lambda: self._snapshots.fork(message))

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
        """In a child that user code forked: it is not the worker, whose connection is closed here (worker.py)."""
        self.stacks.withdraw()
        self._snapshots.reset()
        self._inputs.close()
        self._displays.closed = True
        with contextlib.suppress(ValueError):
            self._interrupts.leave()
        # It may come back to the loop, which then ends it; one whose execution still awaits goes on until that ends.
        with contextlib.suppress(Exception):
            self._loop.renew_self_pipe()
            _call_soon(self._loop, self._executor.next)
