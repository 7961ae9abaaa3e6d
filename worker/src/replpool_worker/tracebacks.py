"""Errors as the user sees them: their own frames and source lines, none of ours."""

import os
import sys
import traceback
import types
from typing import Any

from .suggestions import suggest

OUR_FOLDER = os.path.dirname(os.path.abspath(__file__)) + os.sep

_unraisablehook = sys.__unraisablehook__
# Not by the attribute, which a class may define anew.
_TRACE: Any = BaseException.__dict__["__traceback__"]


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


def without_ours(trace: types.TracebackType | None) -> types.TracebackType | None:
    """The traceback, its frames of ours taken out of it in place."""
    kept: list[types.TracebackType] = []
    while trace is not None:
        if not str.startswith(trace.tb_frame.f_code.co_filename, OUR_FOLDER):
            kept.append(trace)
        trace = trace.tb_next
    for one, following in zip(kept, [*kept[1:], None], strict=False):
        one.tb_next = following
    return kept[0] if kept else None


def remember(error: BaseException) -> None:
    """Make it what `pdb.pm()` and `traceback.print_last()` look at, as an interactive interpreter does."""
    if issubclass(type(error), SystemExit):
        return
    trace = without_ours(_TRACE.__get__(error))
    _TRACE.__set__(error, trace)
    known = {"last_type": type(error), "last_value": error, "last_traceback": trace}
    vars(sys).update(known if sys.version_info < (3, 12) else {**known, "last_exc": error})


def show_unraisable(told: Any) -> None:
    """As `sys.unraisablehook`: the interpreter's own, without the handler of ours that an interrupt came through."""
    without_ours(told.exc_traceback)
    _unraisablehook(told)


def _format(error: BaseException) -> list[str]:
    summary = traceback.TracebackException.from_exception(error, compact=True)
    _strip(summary, set())
    suggest(summary, error)
    # User code may have put a function of its own there.
    return [str.__str__(line) for line in summary.format()]


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
