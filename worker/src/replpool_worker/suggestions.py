"""`Did you mean: …?` for Python 3.10 and 3.11, whose traceback module leaves it to the interpreter's own printing.

The measure of likeness is the interpreter's (Python/suggestions.c): to insert, delete or replace a character costs 2,
to change its case 1, and a third of both names may differ.
"""

import sys
import traceback
import types

_MOVE, _CASE = 2, 1
_CANDIDATES = 750
_LENGTH = 40


def suggest(summary: traceback.TracebackException | None, error: BaseException | None) -> None:
    """Add them to what will be printed of an error, its causes and contexts."""
    if sys.version_info >= (3, 12):
        return
    seen: set[int] = set()
    todo = [(summary, error)]
    while todo:
        summary, error = todo.pop()
        if summary is None or error is None or id(summary) in seen:
            continue
        seen.add(id(summary))
        likely = _likely(error)
        if likely is not None:
            # As Python 3.12 does in there.
            summary._str = f"{summary._str}. Did you mean: '{likely}'?"  # type: ignore[attr-defined]
        todo += [(summary.__cause__, error.__cause__), (summary.__context__, error.__context__)]
        todo += zip(getattr(summary, "exceptions", None) or (), getattr(error, "exceptions", ()), strict=False)


def _likely(error: BaseException) -> str | None:
    wrong = getattr(error, "name", None)
    if not isinstance(wrong, str):
        return None
    if type(error) is AttributeError:
        return None if error.obj is None else _best(wrong, dir(error.obj))
    if type(error) is not NameError:
        return None
    frame = _last_frame(error.__traceback__)
    if frame is None:
        return None
    for names in (frame.f_locals, frame.f_globals, frame.f_builtins):
        best = _best(wrong, list(names))
        if best is not None:
            return best
    return None


def _last_frame(trace: types.TracebackType | None) -> types.FrameType | None:
    frame = None
    while trace is not None:
        frame, trace = trace.tb_frame, trace.tb_next
    return frame


def _best(wrong: str, names: list[str]) -> str | None:
    if len(names) >= _CANDIDATES or len(wrong) > _LENGTH:
        return None
    best, least = None, sys.maxsize
    for name in names:
        if type(name) is not str or name == wrong or len(name) > _LENGTH:
            continue
        found = _distance(wrong, name)
        if found <= min((len(wrong) + len(name) + 3) * _MOVE // 6, least - 1):
            best, least = name, found
    return best


def _distance(one: str, other: str) -> int:
    """Levenshtein's, with the costs above."""
    row = [n * _MOVE for n in range(len(other) + 1)]
    for i, a in enumerate(one, 1):
        above, row = row, [i * _MOVE]
        for j, b in enumerate(other):
            replaced = 0 if a == b else _CASE if a.lower() == b.lower() else _MOVE
            row.append(min(above[j] + replaced, above[j + 1] + _MOVE, row[j] + _MOVE))
    return row[-1]
