"""Errors as the user sees them: their own frames and source lines, none of ours."""

import os
import traceback
from typing import Any

from .suggestions import suggest

OUR_FOLDER = os.path.dirname(os.path.abspath(__file__)) + os.sep


def name_of(kind: type) -> str:
    """A class's own name, without calling what a metaclass may define."""
    name: str = type.__dict__["__name__"].__get__(kind)
    # It may be of a class of the user's, with methods.
    return str.__str__(name)


def describe(error: BaseException, name: str | None = None) -> dict[str, Any]:
    """`{name, message, traceback: [string]}`; `name` replaces the exception's own (an interrupt that came as a cancel).

    Runs the exception's `__str__`, so it belongs inside the guard for user code. Never raises an Exception.
    """
    shown = name or name_of(type(error))
    try:
        message = str.__str__(str(error)) if name is None else ""
    except Exception as failure:
        message = f"<{name_of(type(error))}.__str__ raised {name_of(type(failure))}>"
    try:
        lines = _format(error)
        if name is not None:
            lines[-1] = f"{name}\n"
    except Exception as failure:
        lines = [f"{shown}: {message}\n", f"(its traceback could not be made: {name_of(type(failure))})\n"]
    return {"name": shown, "message": message, "traceback": lines}


def _format(error: BaseException) -> list[str]:
    summary = traceback.TracebackException.from_exception(error, compact=True)
    _strip(summary, set())
    suggest(summary, error)
    return list(summary.format())


def _strip(summary: traceback.TracebackException | None, seen: set[int]) -> None:
    if summary is None or id(summary) in seen:
        return
    seen.add(id(summary))
    frames = [frame for frame in summary.stack if not frame.filename.startswith(OUR_FOLDER)]
    summary.stack = traceback.StackSummary.from_list(frames)
    _strip(summary.__cause__, seen)
    _strip(summary.__context__, seen)
    for inner in getattr(summary, "exceptions", None) or ():
        _strip(inner, seen)
