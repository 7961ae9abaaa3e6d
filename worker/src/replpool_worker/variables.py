"""The namespace told without running user code: what an execution changed, lists, previews."""

import types
from collections.abc import Mapping, Sized
from itertools import islice
from typing import Any, cast

from .tracebacks import name_of

SUMMARY_CHARACTERS = 120
PREVIEW_CHARACTERS = 10_000
SIZED = (list, dict, set, frozenset, tuple, bytearray)
VALUED = (int, float, complex, bool, str, bytes)
DIGITS_BITS = 10_000
HEAP_TYPE = 1 << 9
BRACKETS: dict[type, tuple[str, str]] = {list: ("[", "]"), tuple: ("(", ")"), dict: ("{", "}"), set: ("{", "}")}
Prints = dict[str, tuple[int, object]]


def fingerprints(variables: Mapping[str, object]) -> Prints:
    """Identity and a shallow print of each variable: the value of small immutables (whose memory is reused), the
    length of containers. No references are kept: `del x` in the code frees x at once."""
    return {name: (id(value), _shallow(value)) for name, value in variables.items()}


def _shallow(value: object) -> object:
    kind = type(value)
    if kind in VALUED:
        return hash(value)
    if kind in SIZED:
        assert isinstance(value, Sized)
        return len(value)
    return id(kind)


def changes(before: Prints, after: Prints) -> dict[str, list[str]]:
    """`{added, changed, deleted}`: names, in the namespace's order."""
    return {
        "added": [name for name in after if name not in before],
        "changed": [name for name, mark in after.items() if name in before and before[name] != mark],
        "deleted": [name for name in before if name not in after],
    }


def entry(name: str, value: object) -> dict[str, Any]:
    """`{name, type, summary, size?}` of one variable; size is the length of a container or text."""
    made: dict[str, Any] = {"name": name, "type": name_of(type(value)), "summary": text(value, SUMMARY_CHARACTERS)}
    kind = type(value)
    if kind in SIZED or kind in (str, bytes):
        assert isinstance(value, Sized)
        made["size"] = len(value)
    return made


def preview(value: object) -> dict[str, Any]:
    """A MIME bundle of at most 10,000 characters."""
    return {"data": {"text/plain": text(value, PREVIEW_CHARACTERS)}, "metadata": {}}


def text(value: object, limit: int) -> str:
    """A repr of built-in types, shortened to `limit`; of all others what the interpreter itself knows."""
    try:
        made = _text(value, limit, 0)
    except Exception:
        # It changed while we looked, or memory is short.
        made = f"<{name_of(type(value))}>"
    return made if len(made) <= limit else made[: limit - 1] + "…"


def _text(value: object, limit: int, depth: int) -> str:
    kind = type(value)
    if kind in (str, bytes, bytearray):
        assert isinstance(value, str | bytes | bytearray)
        return repr(value[:limit])
    if kind is int:
        assert isinstance(value, int)
        # The digits of a huge one take time that grows with their square, and beyond Python's own limit raise.
        bits = value.bit_length()
        return repr(value) if bits <= DIGITS_BITS else f"<int of {bits} bits>"
    if value is None or kind in VALUED:
        return repr(value)
    if kind in SIZED or kind is range:
        return _container(value, limit, depth)
    if issubclass(kind, type):
        # Not isinstance(), which asks an object for its `__class__`.
        return f"<class {name_of(cast(type, value))!r}>"
    shown = name_of(kind)
    called = _called(value)
    if called is not None:
        return f"<{shown} {called}>"
    if shown == "ndarray" and not type.__dict__["__flags__"].__get__(kind) & HEAP_TYPE:
        # numpy's own, not a class of that name: classes of Python code are on the heap.
        array: Any = value
        return f"<ndarray {array.shape} {array.dtype.name}>"
    return f"<{shown} object>"


def _called(value: object) -> str | None:
    """The name of a function or module, from where C keeps it: asking calls nobody."""
    kind = type(value)
    if kind is types.MethodType:
        assert isinstance(value, types.MethodType)
        return _called(value.__func__)
    if kind is types.ModuleType:
        name = vars(value).get("__name__")
    elif kind in (types.FunctionType, types.BuiltinFunctionType):
        name = getattr(value, "__name__", None)
    else:
        name = None
    return name if type(name) is str else None


def _container(value: Any, limit: int, depth: int) -> str:
    kind = type(value)
    if kind is range:
        ends = [_text(end, limit, depth + 1) for end in (value.start, value.stop, value.step)]
        return f"range({', '.join(ends if value.step != 1 else ends[:2])})"
    open_, close = BRACKETS.get(kind, (f"{name_of(kind)}([", "])"))
    if not value:
        return repr(value)
    if depth == 4:
        return f"{open_}…{close}"
    if kind is bytearray:
        return repr(value[:limit])
    parts: list[str] = []
    room = limit
    for item in islice(value.items() if kind is dict else value, limit):
        part = (
            f"{_text(item[0], room, depth + 1)}: {_text(item[1], room, depth + 1)}"
            if kind is dict
            else _text(item, room, depth + 1)
        )
        parts.append(part)
        room -= len(part) + 2
        if room <= 0:
            break
    if len(parts) < len(value):
        parts.append("…")
    comma = "," if kind is tuple and len(value) == 1 else ""
    return f"{open_}{', '.join(parts)}{comma}{close}"
