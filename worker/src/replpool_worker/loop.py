"""The session's event loop, and `asyncio.run` beside it."""

import asyncio
import asyncio.events
import asyncio.tasks
import contextlib
import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

from .session_loop import SessionLoop


def make_loop() -> SessionLoop:
    """The session's loop, as this thread's."""
    loop = SessionLoop()
    asyncio.set_event_loop(loop)
    return loop


@contextlib.contextmanager
def _set_aside(loop: asyncio.AbstractEventLoop, shield: AbstractContextManager[Any]) -> Iterator[None]:
    """No running loop and no current task, for as long as user code drives a loop of its own.

    The policy's loop is left as user code left it: to set it would take the watcher of child processes away from the
    loop that waits for them (Python 3.10 and 3.11), and code on the running loop is never given that one.
    """
    task = asyncio.tasks.current_task(loop)
    try:
        # An interrupt between the two would leave a task that cannot end: "does not match the current task".
        with shield:
            if task is not None:
                asyncio.tasks._leave_task(loop, task)
            asyncio.events._set_running_loop(None)
        yield
    finally:
        with shield:
            asyncio.events._set_running_loop(loop)
            if task is not None and asyncio.tasks.current_task(loop) is None:
                asyncio.tasks._enter_task(loop, task)


def allow_nested(loop: SessionLoop, shield: AbstractContextManager[Any]) -> None:
    """Let asyncio.run, Runner.run and another loop's run_* work in code that runs on `loop`."""
    loop.shield = shield

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def nested(*arguments: Any, **options: Any) -> Any:
            if asyncio.events._get_running_loop() is not loop or (arguments and arguments[0] is loop):
                return function(*arguments, **options)
            with _set_aside(loop, shield):
                return function(*arguments, **options)

        return nested

    targets: list[tuple[Any, str]] = [
        (asyncio, "run"),
        (asyncio.runners, "run"),
        (asyncio.BaseEventLoop, "run_until_complete"),
        (asyncio.BaseEventLoop, "run_forever"),
    ]
    runner = getattr(asyncio, "Runner", None)
    if runner is not None:
        targets.append((runner, "run"))
    for owner, name in targets:
        setattr(owner, name, wrap(getattr(owner, name)))
