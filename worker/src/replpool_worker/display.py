"""`display()`, `update_display()` and `clear_output()`, in builtins so that they work in modules too.

Names, arguments and answers are those of IPython.display, whose functions lead here as well (libraries.py).
"""

import builtins
import os
import sys
from collections.abc import Callable
from typing import Any

from . import figures
from .frames import Message
from .mime import Bundle, Kinds, bundle, carried, cut, report, safe_repr, takes_over

# Bound here: user code patches modules, as tests do, and must not hit the worker (test_patched_modules.py).
_urandom = os.urandom


class DisplayHandle:
    """What `display(..., display_id=...)` answers: a display that can be shown again and updated."""

    def __init__(self, display_id: str | None = None) -> None:
        self.display_id = _urandom(16).hex() if display_id is None else str(display_id)

    def display(self, obj: object, **kwargs: Any) -> None:
        """Show a new display with this id."""
        display(obj, display_id=self.display_id, **kwargs)

    def update(self, obj: object, **kwargs: Any) -> None:
        """Replace what the displays with this id show."""
        update_display(obj, display_id=self.display_id, **kwargs)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} display_id={self.display_id}>"


def display(
    *objs: object,
    include: Kinds = None,
    exclude: Kinds = None,
    metadata: dict[str, Any] | None = None,
    transient: dict[str, Any] | None = None,
    display_id: str | bool | DisplayHandle | None = None,
    raw: bool = False,
    clear: bool = False,
    update: bool = False,
    **_: Any,
) -> DisplayHandle | None:
    """Show values with their rich representations; `raw` ones are MIME bundles themselves.

    With a `display_id`, True for a new one, they can be updated, by the handle that is returned then. `clear` removes
    the output so far. Raises ValueError for what is too large, TypeError for a raw value that is no dict.
    """
    handle = None
    transient = dict(transient or {})
    if display_id:
        if isinstance(display_id, DisplayHandle):
            display_id = display_id.display_id
        handle = DisplayHandle(None if display_id is True else str(display_id))
        transient["display_id"] = handle.display_id
    if update and "display_id" not in transient:
        raise TypeError("display_id required for update_display")
    if not objs and handle is not None:
        # An empty place, to be filled later.
        objs, raw = ({},), True
    if clear:
        clear_output(wait=True)
    for obj in objs:
        if raw:
            publish_display_data(obj, metadata, transient=transient, update=update)
        elif not takes_over(obj):
            _show(obj, bundle(obj, include, exclude), metadata, transient, update)
    return handle


def update_display(obj: object, *, display_id: str | DisplayHandle, **kwargs: Any) -> None:
    """Replace what display(..., display_id=...) showed; the other arguments are those of display()."""
    display(obj, display_id=display_id, **{**kwargs, "update": True})


def clear_output(wait: bool = False) -> None:
    """Remove this execution's output so far; with `wait`, when the next output comes."""
    if _session is not None and not _session.closed:
        _session.emit({"type": "clear_output", "wait": bool(wait)})


def publish_display_data(
    data: object,
    metadata: dict[str, Any] | None = None,
    source: object = None,
    *,
    transient: dict[str, Any] | None = None,
    update: bool = False,
    **_: Any,
) -> None:
    """Show a MIME bundle as it is. Raises ValueError where it is too large, TypeError where it is no dict."""
    if not isinstance(data, dict):
        raise TypeError(f"a MIME bundle is a dict, not {type(data).__name__}")
    _show(data, (carried(dict(data)), {}), metadata, transient, update)


def _show(
    value: object, made: Bundle, metadata: dict[str, Any] | None, transient: dict[str, Any] | None, update: bool
) -> None:
    data, extra = made
    if not data and not update and not transient:
        # All of its kinds were excluded.
        return
    if _session is None or _session.closed:
        # A zygote that warms, or a forked child process, has no connection; its output still is the session's.
        sys.stdout.write(f"{data.get('text/plain') or safe_repr(value)}\n")
        return
    message: Message = {"type": "update_display" if update else "display", "data": data, "metadata": extra}
    for kind, item in carried(dict(metadata or {})).items():
        # What the caller says of a kind adds to what the value said of it.
        both = isinstance(item, dict) and isinstance(extra.get(kind), dict)
        message["metadata"] = {**message["metadata"], kind: {**extra[kind], **item} if both else item}
    if transient:
        message["transient"] = carried(dict(transient))
    _session.warn(cut(data))
    _session.emit(message)


class Display:
    """The session's end of the functions, over `emit(message)`, which adds `execution` and `pipes` and sends."""

    def __init__(self, emit: Callable[[Message], None]) -> None:
        self.emit = emit
        self.closed = False

    def install(self) -> None:
        """Put the functions into builtins, and lead them here."""
        global _session
        _session = self
        for function in (display, update_display, clear_output):
            setattr(builtins, function.__name__, function)

    def warn(self, message: str | None) -> None:
        """Tell of an output that was cut, if it was."""
        if message is not None:
            self.emit({"type": "warning", "code": "OUTPUT_TRUNCATED", "message": message})

    def result(self, value: object) -> Bundle:
        """The bundle of an execution's result. Runs user code.

        A `sys.displayhook` of the user's own is called, as an interactive Python does, and shows what it likes; the
        result stays what it is, for it is also what programs read.
        """
        hook = vars(sys).get("displayhook")
        if hook is not None and hook is not sys.__displayhook__:
            hook(value)
        made = ({"text/plain": safe_repr(value)}, {}) if takes_over(value) else bundle(value)
        self.warn(cut(made[0]))
        return made

    def show_figures(self) -> None:
        """Show pyplot's open figures that are not shown yet, and close all, as notebooks do at the end of a cell."""
        try:
            for figure in figures.unseen():
                display(figure)
            figures.close()
        except Exception as error:
            # Of matplotlib's own parts, which user code may have changed.
            report("matplotlib", error)


_session: Display | None = None
