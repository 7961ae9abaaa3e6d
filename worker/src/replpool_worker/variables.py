"""The namespace told without running user code: lists and previews."""

import sys
import types
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Any, cast

from .arrays import Array, array
from .dataframes import columns, parts, values_dtype
from .ndarrays import elements, is_ndarray, item, static_type
from .stored import SIZED, length
from .tracebacks import name_of

SUMMARY_CHARACTERS = 120
PREVIEW_CHARACTERS = 10_000
DIGITS_BITS = 10_000
ELEMENTS = 100
COLUMNS = 50
# By identity: equality and hashing of a class are its metaclass's, which may be the user's.
VALUED = frozenset(map(id, (int, float, complex, bool, str, bytes, type(None))))
OWN = VALUED | frozenset(map(id, SIZED))
BRACKETS = {id(list): ("[", "]"), id(tuple): ("(", ")"), id(dict): ("{", "}"), id(set): ("{", "}")}
# Inside the parentheses of another class of that kind: `Counter({…})`, `deque([…])`.
INNER = {list: ("[", "]"), deque: ("[", "]"), dict: ("{", "}"), set: ("{", "}"), frozenset: ("{", "}")}


def entry(name: str, value: object) -> dict[str, Any]:
    """`{name, type, summary, shape?, dtype?, size?}` of one variable, as protocol/src/variables.ts describes them."""
    made: dict[str, Any] = {"name": name, "type": name_of(type(value)), "summary": text(value, SUMMARY_CHARACTERS)}
    known = array(value) or _plain(value)
    if known.shape is not None:
        made["shape"] = list(known.shape)
    if known.dtype is not None:
        made["dtype"] = known.dtype
    if known.size is not None:
        made["size"] = known.size
    return made


def _plain(value: object) -> Array:
    """Of Python's own containers and values: the length, and the bytes of the object itself."""
    count = length(value)
    # What its own type says, in C; a subclass may say it by code of the user's.
    size = sys.getsizeof(value) if id(type(value)) in OWN else None
    return Array(None if count is None else (count,), None, size)


def preview(value: object) -> dict[str, Any]:
    """A MIME bundle of at most 10,000 characters; of arrays and frames the first elements."""
    lines = [text(value, PREVIEW_CHARACTERS)]
    try:
        if is_ndarray(value):
            lines.append(_text(_first(value), PREVIEW_CHARACTERS, 0))
        for label, values in columns(value, COLUMNS):
            lines.append(f"{_text(label, SUMMARY_CHARACTERS, 0)}: {_column(values)}")
    except Exception:
        # It changed while we looked, or is of a version that is laid out differently: its line alone, then.
        del lines[1:]
    return {"data": {"text/plain": _shortened("\n".join(lines), PREVIEW_CHARACTERS)}, "metadata": {}}


def _first(value: object) -> list[Any]:
    known = array(value)
    axes = len(known.shape or ()) if known is not None else 0
    return elements(value, max(2, int(ELEMENTS ** (1 / max(1, axes)))))


def _column(values: object) -> str:
    held = next((part for part in parts(values) if is_ndarray(part)), None)
    dtype = values_dtype(values)
    return f"{dtype}" if held is None else f"{dtype} {_text(elements(held, 10), SUMMARY_CHARACTERS, 0)}"


def text(value: object, limit: int) -> str:
    """A repr of built-in types, shortened to `limit`; of all others what the interpreter itself knows."""
    try:
        made = _text(value, limit, 0)
    except Exception:
        # It changed while we looked, or memory is short.
        made = f"<{name_of(type(value))}>"
    return _shortened(made, limit)


def _shortened(made: str, limit: int) -> str:
    return made if len(made) <= limit else made[: limit - 1] + "…"


def _text(value: Any, limit: int, depth: int) -> str:
    kind = type(value)
    if kind is str or kind is bytes or kind is bytearray:
        return repr(value[:limit])
    if kind is int:
        # The digits of a huge one take time that grows with their square, and beyond Python's own limit raise.
        bits = value.bit_length()
        return repr(value) if bits <= DIGITS_BITS else f"<int of {bits} bits>"
    if id(kind) in VALUED:
        return repr(value)
    if kind is range:
        ends = [_text(end, limit, depth + 1) for end in (value.start, value.stop, value.step)]
        return f"range({', '.join(ends if value.step != 1 else ends[:2])})"
    shown = name_of(kind)
    if static_type(kind, "generic") is not None:
        # numpy's own, as its `repr` has been since 2.0; a structured one is as large as it likes.
        held = item(value)
        return f"np.{shown}({'…' if held is ... else _text(held, limit, depth + 1)})"
    if length(value) is not None:
        return _container(value, limit, depth)
    if issubclass(kind, type):
        # Not isinstance(), which asks an object for its `__class__`.
        return f"<class {name_of(cast(type, value))!r}>"
    known = array(value)
    if known is not None and known.shape is not None:
        return f"<{shown} {known.shape}{f' {known.dtype}' if known.dtype else ''}>"
    called = _called(value)
    return f"<{shown} object>" if called is None else f"<{shown} {called}>"


def _called(value: object) -> str | None:
    """The name of a function or module, from where C keeps it: asking calls nobody."""
    kind = type(value)
    if kind is types.MethodType:
        assert isinstance(value, types.MethodType)
        return _called(value.__func__)
    if kind is types.ModuleType:
        name = vars(value).get("__name__")
    elif kind is types.FunctionType or kind is types.BuiltinFunctionType:
        name = getattr(value, "__name__", None)
    else:
        name = None
    return name if type(name) is str else None


def _container(value: Any, limit: int, depth: int) -> str:
    """Of a subclass too, read by the methods of Python's own type."""
    kind = type(value)
    open_, close = BRACKETS.get(id(kind), (f"{name_of(kind)}(", ")"))
    for text_kind in (str, bytes, bytearray):
        if issubclass(kind, text_kind):
            return f"{open_}{text_kind.__getitem__(value, slice(limit))!r}{close}"
    count = length(value) or 0
    if count == 0 and id(kind) in OWN:
        return repr(value)
    if depth == 4:
        return f"{open_}…{close}"
    inner = ("", "")
    if id(kind) not in BRACKETS:
        inner = next((inner for base, inner in INNER.items() if issubclass(kind, base)), inner)
    parts: list[str] = []
    room = limit
    for items in islice(_items(value), limit):
        made = ": ".join(_text(item, room, depth + 1) for item in items)
        parts.append(made)
        room -= len(made) + 2
        if room <= 0:
            break
    if len(parts) < count:
        parts.append("…")
    comma = "," if kind is tuple and count == 1 else ""
    return f"{open_}{inner[0]}{', '.join(parts)}{comma}{inner[1]}{close}"


def _items(value: Any) -> Iterator[tuple[object, ...]]:
    if issubclass(type(value), dict):
        return iter(dict.items(value))
    base = next(base for base in (list, tuple, set, frozenset, deque) if issubclass(type(value), base))
    return zip(base.__iter__(value))
