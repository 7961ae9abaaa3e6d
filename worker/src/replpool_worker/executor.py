"""Runs executions, first in first out, on the main thread inside one asyncio loop that lives as long as the worker."""

import asyncio
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

from .compiler import CO_COROUTINE, Cell, Compiler
from .display import Display
from .frames import FrameTooLarge, Message
from .input import Input
from .interrupts import Interrupts
from .mime import bundle
from .namespace import Namespace
from .tracebacks import describe
from .variables import changes, fingerprints

EX_SOFTWARE = 70


def die(error: BaseException) -> NoReturn:
    """An error in our own code: say it on fd 2 and end the worker, so that no execution is lost in silence."""
    text = "".join(traceback.format_exception(error))
    os.write(2, f"replpool_worker: internal error\n{text}".encode("utf-8", "backslashreplace"))
    os._exit(EX_SOFTWARE)


def _cpu_ms() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return (own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime) * 1000


@dataclass
class Execution:
    """One `execute`, and what came of it."""

    id: str
    code: str
    silent: bool
    count: int
    value: object = None
    error: BaseException | None = None


class Executor:
    """The queue and the one execution that runs. `send(*messages)` sends at once, `pipes()` flushes and asks."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
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
        self._queue: deque[Execution] = deque()
        # One context for all executions, so that context variables (decimal's precision) hold from one to the next.
        self._context = contextvars.copy_context()
        self._pid = os.getpid()
        self.running: str | None = None
        self.inputs: Input
        self.displays: Display

    @property
    def busy(self) -> bool:
        """Whether an execution runs or waits."""
        return self.running is not None or bool(self._queue)

    def submit(self, message: Message) -> None:
        """From the protocol thread: queue an `execute`."""
        count = int(message.get("executionCount") or 0)
        self._queue.append(Execution(message["execution"], message["code"], bool(message.get("silent")), count))
        self._loop.call_soon_threadsafe(self.next, context=self._context)

    def next(self) -> None:
        """On the loop: start the next execution, unless one runs."""
        if self.running is not None or not self._queue:
            return
        try:
            # An interrupt in the midst of the user's asyncio.run may have left it unset.
            asyncio.events._set_running_loop(self._loop)
            self._start(self._queue.popleft())
        except BaseException as error:
            die(error)

    def _start(self, execution: Execution) -> None:
        self.running = execution.id
        self._interrupts.begin(execution.id)
        self._send({"type": "started", "execution": execution.id})
        before = fingerprints(self._namespace.variables())
        cpu = _cpu_ms()
        finish = functools.partial(self._finish, execution, before, cpu)
        filename = self._compiler.register(execution.code, execution.count)
        cell: Cell | None = None
        try:
            cell = self._interrupts.run_user_code(lambda: self._compiler.compile(execution.code, filename))
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
        finish(filename, cell)

    def _run(self, cell: Cell) -> object:
        if cell.body is not None:
            exec(cell.body, self._names)
        return eval(cell.last, self._names) if cell.last is not None else None

    def _start_task(self, execution: Execution, cell: Cell, finish: Callable[[str, Cell], None]) -> None:
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
                finish(cell.filename, cell)
            except BaseException as error:
                die(error)

        if sys.version_info >= (3, 11):
            task = self._loop.create_task(drive(), context=self._context)
        else:
            task = self._loop.create_task(drive())
        task.add_done_callback(done, context=self._context)

    async def _await(self, cell: Cell) -> object:
        value = None
        for code in (cell.body, cell.last):
            if code is not None:
                value = eval(code, self._names)
                if code.co_flags & CO_COROUTINE:
                    value = await value
        return value if cell.last is not None else None

    def _finish(
        self, execution: Execution, before: dict[str, tuple[int, object]], cpu: float, filename: str, cell: Cell | None
    ) -> None:
        if os.getpid() != self._pid:
            self._leave_fork(execution.error)
        messages: list[Message] = []
        shown = self._show(execution)
        error: Message | None = None
        if execution.error is not None:
            error = self._describe(execution.error)
        if shown is not None:
            messages.append({"type": "result", "execution": execution.id, "data": shown[0], "metadata": shown[1]})
        status = "ok"
        if error is not None:
            status = "interrupted" if error["name"] == "KeyboardInterrupt" and self._interrupts.fired else "error"
            messages.append({"type": "error", "execution": execution.id, "error": error})
        execution.value = execution.error = None
        self._interrupts.end()
        if status == "interrupted":
            self.inputs.cancel(execution.id)
        if cell is None or not cell.defines_code:
            self._compiler.forget(filename)
        after = fingerprints(self._namespace.variables())
        pipes = self._pipes()
        usage = {
            "cpuMs": round(max(0.0, _cpu_ms() - cpu), 3),
            "maxRssBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
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
        self.running = None
        self._send_all(messages)
        if self._queue:
            self._loop.call_soon(self.next, context=self._context)

    def _show(self, execution: Execution) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """The result's bundle; an interrupt or exit out of its `__repr__` becomes the execution's error."""
        if execution.error is not None or execution.silent:
            return None

        def show() -> tuple[dict[str, Any], dict[str, Any]] | None:
            made = None if execution.value is None else bundle(execution.value)
            self.displays.show_figures()
            return made

        if execution.value is not None:
            self._names["_"] = execution.value
        try:
            return self._interrupts.run_user_code(show)
        except BaseException as error:
            execution.error = error
            return None

    def _describe(self, error: BaseException) -> Message:
        name = None
        if isinstance(error, asyncio.CancelledError) and self._interrupts.fired:
            name = "KeyboardInterrupt"
        try:
            return self._interrupts.run_user_code(lambda: describe(error, name))
        except BaseException:
            kind = name or type(error).__name__
            return {"name": kind, "message": "", "traceback": [f"{kind}\n"]}

    def _send_all(self, messages: list[Message]) -> None:
        try:
            self._send(*messages)
        except FrameTooLarge as error:
            execution, pipes = messages[-1]["execution"], messages[-1]["pipes"]
            note = {"type": "warning", "execution": execution, "code": "OUTPUT_TRUNCATED", "message": str(error)}
            for message in messages:
                shorten(message)
                message["pipes"] = pipes
            self._send(note, *messages)

    def _leave_fork(self, error: BaseException | None) -> NoReturn:
        """User code forked and its child came back to us: it ends here, as it would at the end of a script."""
        code = 0
        if isinstance(error, SystemExit):
            code = error.code if isinstance(error.code, int) else int(error.code is not None)
        elif error is not None:
            sys.stderr.write("".join(describe(error)["traceback"]))
            code = 1
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code & 0xFF)


def shorten(message: Message, limit: int = 1 << 20) -> None:
    """Cut the texts of a bundle or an error to `limit` characters and drop longer binaries, in place."""
    data = message.get("data")
    if isinstance(data, dict):
        for kind, value in list(data.items()):
            if isinstance(value, str) and len(value) > limit:
                data[kind] = value[:limit] + "…"
            elif not isinstance(value, str):
                del data[kind]
    error = message.get("error")
    if isinstance(error, dict):
        error["message"] = error["message"][:limit]
        error["traceback"] = [line[:limit] for line in error["traceback"][-50:]]
    variables = message.get("variables")
    if isinstance(variables, dict):
        for key, names in variables.items():
            variables[key] = [name[:1000] for name in names[:10_000]]
