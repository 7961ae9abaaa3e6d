"""Runs executions, first in first out, on the main thread inside one asyncio loop that lives as long as the worker."""

import asyncio
import contextlib
import contextvars
import functools
import os
import resource
import sys
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from . import EX_SOFTWARE
from .changes import Prints, changes, fingerprints
from .compiler import CO_COROUTINE, Cell, Compiler
from .display import Display
from .frames import Message
from .input import Input
from .interrupts import Interrupts
from .namespace import Namespace
from .output import Output
from .script_end import end_as_script
from .shortening import send_what_fits
from .tracebacks import describe, name_of, remember

# Bound here: user code patches modules, as tests do, and must not hit the worker (test_patched_modules.py).
_exit, _getpid, _write, _getrusage = os._exit, os.getpid, os.write, resource.getrusage
_format_exception = traceback.format_exception
_set_running_loop = asyncio.events._set_running_loop
_call_soon, _call_soon_threadsafe = asyncio.BaseEventLoop.call_soon, asyncio.BaseEventLoop.call_soon_threadsafe


def die(error: BaseException) -> NoReturn:
    """An error in our own code: say it on fd 2 and end the worker, so that no execution is lost in silence."""
    try:
        _write(2, b"replpool_worker: internal error\n")
        _write(2, "".join(_format_exception(error)).encode("utf-8", "backslashreplace"))
    finally:
        # Whatever user code closed or took away: fd 2, the traceback module, builtins.
        _exit(EX_SOFTWARE)


def _cpu_ms() -> float:
    own, children = _getrusage(resource.RUSAGE_SELF), _getrusage(resource.RUSAGE_CHILDREN)
    return (own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime) * 1000


@dataclass
class Execution:
    """One `execute`, and what came of it."""

    id: str
    code: str
    silent: bool
    count: int
    filename: str | None = None
    value: object = None
    error: BaseException | None = None


@dataclass
class Task:
    """What is done on the main thread between executions. An interrupt may name it."""

    id: str | None
    run: Callable[[], None]


class Executor:
    """The queue and the one execution that runs. `send(*messages)` sends at once, `pipes()` flushes and asks."""

    def __init__(
        self,
        loop: asyncio.BaseEventLoop,
        namespace: Namespace,
        interrupts: Interrupts,
        send: Callable[..., None],
        pipes: Callable[[], list[int]],
    ) -> None:
        self._loop = loop
        self._names = namespace.names
        self._namespace = namespace
        self._interrupts = interrupts
        self._send = send
        self._pipes = pipes
        self._compiler = Compiler()
        self._queue: deque[Execution | Task] = deque()
        # What was taken from it and has not begun.
        self._taken: Execution | Task | None = None
        # One context for all executions, so that context variables (decimal's precision) hold from one to the next.
        self._context = contextvars.copy_context()
        self._pid = _getpid()
        # The file name of the last execution that failed, where nothing else of it needs its source.
        self._failed: str | None = None
        # Changes only under the connection's lock: no frame names an execution ahead of its `started` or behind its
        # `finished`, whichever thread sends it.
        self.running: str | None = None
        self.inputs: Input
        self.output: Output
        self.displays: Display
        # Called before each item of the queue.
        self.begin: Callable[[], None] = lambda: None

    def submit_task(self, run: Callable[[], None], name: str | None = None) -> None:
        """From the protocol thread: queue what is done on the main thread between executions, in order with them."""
        self._queue.append(Task(name, run))
        _call_soon_threadsafe(self._loop, self.next, context=self._context)

    def is_queued(self, name: object) -> bool:
        """From any thread: whether an execution or a task of this name is yet to begin."""
        # In this order, for the main thread takes them.
        queued, taken = self._queue.copy(), self._taken
        return name is not None and any(item is not None and item.id == name for item in (taken, *queued))

    def take_over(self) -> None:
        """In a twin: what stands in the queue is the worker's, which its agent has given up."""
        self._queue.clear()
        self._taken = None
        self._pid = _getpid()

    def submit(self, message: Message) -> None:
        """From the protocol thread: queue an `execute`."""
        count = int(message.get("executionCount") or 0)
        self._queue.append(Execution(message["execution"], message["code"], bool(message.get("silent")), count))
        # The class's own: what user code puts on the loop object in its place must not swallow executions.
        _call_soon_threadsafe(self._loop, self.next, context=self._context)

    def next(self) -> None:
        """On the loop: start the next execution, unless one runs."""
        if self.running is None:
            self.leave_fork()
        if self.running is not None or not self._queue:
            return
        try:
            # An interrupt in the midst of the user's asyncio.run may have left it unset.
            _set_running_loop(self._loop)
            self.begin()
            item = self._taken = self._queue[0]
            self._queue.popleft()
            if isinstance(item, Execution):
                self._start(item)
                return
            # Code of the user's in it may turn the loop; the context, which is entered, keeps the next item out of it.
            item.run()
            self._taken = None
            if self._queue:
                _call_soon(self._loop, self.next, context=self._context)
        except BaseException as error:
            die(error)

    def _start(self, execution: Execution) -> None:
        self._interrupts.begin(execution.id)
        self._taken = None
        self.inputs.begin()
        self.output.begin()
        self._send({"type": "started", "execution": execution.id}, settle=lambda: self._set_running(execution.id))
        before = fingerprints(self._namespace.variables())
        cpu = _cpu_ms()
        finish = functools.partial(self._finish, execution, before, cpu)
        cell: Cell | None = None
        try:
            cell = self._interrupts.run_user_code(lambda: self._compile(execution))
        except BaseException as error:
            execution.error = error
        if cell is not None and cell.is_async:
            self._start_task(execution, cell, finish)
            return
        if cell is not None:
            try:
                execution.value = self._interrupts.run_user_code(functools.partial(self._run, cell))
            except BaseException as error:
                execution.error = error
        finish(cell)

    def _set_running(self, execution: str | None) -> None:
        self.running = execution

    def _compile(self, execution: Execution) -> Cell:
        execution.filename = self._compiler.register(execution.code, execution.count)
        return self._compiler.compile(execution.code, execution.filename)

    def _run(self, cell: Cell) -> object:
        self._interrupts.lend()
        for code in cell.body:
            exec(code, self._names)
        return eval(cell.last, self._names) if cell.last is not None else None

    def _start_task(self, execution: Execution, cell: Cell, finish: Callable[[Cell], None]) -> None:
        async def drive() -> None:
            # Not before: a task that is cancelled ahead of its first step never runs.
            self._interrupts.task = asyncio.current_task()
            try:
                execution.value = await self._interrupts.await_user_code(functools.partial(self._await, cell))
            except BaseException as error:
                execution.error = error
            finally:
                self._interrupts.task = None

        def done(task: asyncio.Task[None]) -> None:
            try:
                self._interrupts.task = None
                if task.cancelled():
                    execution.error = asyncio.CancelledError()
                finish(cell)
            except BaseException as error:
                die(error)

        # Not loop.create_task(): user code may have set a task factory.
        if sys.version_info >= (3, 11):
            task = asyncio.Task(drive(), loop=self._loop, context=self._context)
        else:
            task = asyncio.Task(drive(), loop=self._loop)
        task.add_done_callback(done, context=self._context)

    async def _await(self, cell: Cell) -> object:
        value = None
        self._interrupts.lend()
        for code in cell.codes:
            value = eval(code, self._names)
            if code.co_flags & CO_COROUTINE:
                value = await value
        return value if cell.last is not None else None

    def _finish(self, execution: Execution, before: Prints, cpu: float, cell: Cell | None) -> None:
        self.leave_fork(execution.error)
        messages: list[Message] = []
        shown = self._show(execution)
        self._flush_replaced(execution)
        error: Message | None = None
        if execution.error is not None:
            error = self._describe(execution.error)
        # Each of these may have run user code.
        self.leave_fork(execution.error)
        if shown is not None:
            messages.append({"type": "result", "execution": execution.id, "data": shown[0], "metadata": shown[1]})
        status = "ok"
        if error is not None:
            status = "interrupted" if error["name"] == "KeyboardInterrupt" and self._interrupts.fired else "error"
            messages.append({"type": "error", "execution": execution.id, "error": error})
        self._release(execution, cell)
        self.leave_fork()
        self._interrupts.end()
        if status == "interrupted":
            self.inputs.cancel(execution.id)
        after = fingerprints(self._namespace.variables(), before)
        pipes = self._pipes()
        usage = {
            "cpuMs": round(max(0.0, _cpu_ms() - cpu), 3),
            "maxRssBytes": _getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        }
        messages.append(
            {
                "type": "finished",
                "execution": execution.id,
                "status": status,
                "executionCount": execution.count,
                "variables": changes(before, after),
                "usage": usage,
            }
        )
        for message in messages:
            message["pipes"] = pipes
        send_what_fits(self._send, messages, lambda: self._set_running(None))
        if status == "interrupted":
            # A thread may have asked between the first look and `finished`.
            self.inputs.cancel(execution.id)
        if self._queue:
            _call_soon(self._loop, self.next, context=self._context)

    def _show(self, execution: Execution) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """The result's bundle; an interrupt or exit out of its `__repr__` becomes the execution's error."""
        if execution.silent:
            return None

        def show() -> tuple[dict[str, Any], dict[str, Any]] | None:
            made = None
            if execution.error is None and execution.value is not None:
                # Here, because it may run user code: what `_` held goes, and keys of the namespace are compared.
                self._names["_"] = execution.value
                made = self.displays.result(execution.value)
            self.displays.show_figures()
            return made

        try:
            return self._interrupts.run_user_code(show)
        except BaseException as error:
            # What the code itself failed with counts for more than a figure that was not drawn after it.
            if execution.error is None:
                execution.error = error
            return None

    def _flush_replaced(self, execution: Execution) -> None:
        """What stands in a stream that user code put in the place of ours was written by this execution."""

        def flush() -> None:
            for stream in replaced:
                with contextlib.suppress(Exception):
                    stream.flush()

        replaced = self.output.replaced()
        if not replaced:
            return
        try:
            self._interrupts.run_user_code(flush)
        except BaseException as error:
            if execution.error is None:
                execution.error = error

    def _release(self, execution: Execution, cell: Cell | None) -> None:
        """Let go of what the execution held, which may run the user's `__del__`."""

        def release() -> None:
            has_failed = execution.error is not None
            execution.value = execution.error = self._interrupts.cause = None
            filename = execution.filename
            if filename is None or (cell is not None and cell.defines_code):
                return
            if has_failed:
                # `traceback.print_last()` shows its lines, until another fails.
                filename, self._failed = self._failed, filename
            if filename is not None:
                self._compiler.forget(filename)

        with contextlib.suppress(BaseException):
            self._interrupts.run_beside(release)

    def _describe(self, error: BaseException) -> Message:
        name = None
        cause = self._interrupts.cause
        # By its type: isinstance() asks the object for its __class__.
        if cause is not None and issubclass(type(error), asyncio.CancelledError):
            if type(cause) is KeyboardInterrupt:
                name = "KeyboardInterrupt"
            else:
                cause.__context__, error = error, cause

        def tell() -> Message:
            # Here, because what it takes the place of goes, which may run the user's `__del__`.
            remember(error)
            return describe(error, name)

        try:
            return self._interrupts.run_beside(tell)
        except BaseException:
            kind = name or name_of(type(error))
            return {"name": kind, "message": "", "traceback": [f"{kind}\n"]}

    def leave_fork(self, error: BaseException | None = None) -> None:
        """Where user code forked and its child came back to us: it ends here, as it would at the end of a script."""
        if _getpid() != self._pid:
            end_as_script(error)
