"""`display()`, `update_display()` and `clear_output()`, in builtins so that they work in modules too."""

import builtins
import sys
import uuid
from collections.abc import Callable
from typing import Any

from .frames import Message
from .mime import bundle, carried, safe_repr


class Display:
    """The functions, over `emit(message)`, which adds `execution` and `pipes` and sends."""

    def __init__(self, emit: Callable[[Message], None]) -> None:
        self._emit = emit
        self.closed = False

    def install(self) -> None:
        """Put the three into builtins."""

        def display(
            *values: object,
            raw: bool = False,
            metadata: dict[str, Any] | None = None,
            display_id: str | bool | None = None,
            **_: object,
        ) -> str | None:
            """Show values with their rich representations. With `display_id` they can be updated; returns that id."""
            identity = uuid.uuid4().hex if display_id is True else display_id or None
            for value in values:
                self._show("display", value, raw, metadata, identity)
            return identity

        def update_display(
            value: object, *, display_id: str, raw: bool = False, metadata: dict[str, Any] | None = None, **_: object
        ) -> None:
            """Replace what display(..., display_id=...) showed."""
            self._show("update_display", value, raw, metadata, display_id)

        def clear_output(wait: bool = False) -> None:
            """Remove this execution's output so far; with `wait`, when the next output comes."""
            if not self.closed:
                self._emit({"type": "clear_output", "wait": bool(wait)})

        for function in (display, update_display, clear_output):
            setattr(builtins, function.__name__, function)

    def _show(self, kind: str, value: object, raw: bool, metadata: dict[str, Any] | None, identity: str | None) -> None:
        if self.closed:
            # A forked child process has no connection; its output still is the session's.
            sys.stdout.write(safe_repr(value) + "\n")
            return
        data, extra = (carried(dict(value)), {}) if raw and isinstance(value, dict) else bundle(value)
        message: Message = {"type": kind, "data": data, "metadata": {**extra, **carried(metadata or {})}}
        if identity is not None:
            message["transient"] = {"display_id": str(identity)}
        self._emit(message)

    def show_figures(self) -> None:
        """Display the figures that pyplot holds open, and close them, as notebooks do at the end of a cell."""
        pyplot: Any = sys.modules.get("matplotlib.pyplot")
        if pyplot is None:
            return
        for number in pyplot.get_fignums():
            self._show("display", pyplot.figure(number), False, None, None)
        pyplot.close("all")
