"""The namespace told without running user code: what an execution changed, lists, previews."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

from .tracebacks import name_of

SUMMARY_CHARACTERS = 120
PREVIEW_CHARACTERS = 10_000
SIZED = (list, dict, set, frozenset, tuple, bytearray)
VALUED = (int, float, complex, bool, str, bytes)
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
        return len(value)  # type: ignore[arg-type]
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
        made["size"] = len(value)  # type: ignore[arg-type]
    return made


def preview(value: object) -> dict[str, Any]:
    """A MIME bundle of at most 10,000 characters."""
    return {"data": {"text/plain": text(value, PREVIEW_CHARACTERS)}, "metadata": {}}


def text(value: object, limit: int) -> str:
    """A repr of built-in types, shortened to `limit`; of all others what the interpreter itself knows."""
    try:
        made = _text(value, limit, 0)
    except (RuntimeError, ValueError):
        # It changed while we looked, or an integer has more digits than Python prints.
        made = f"<{name_of(type(value))}>"
    return made if len(made) <= limit else made[: limit - 1] + "…"


def _text(value: object, limit: int, depth: int) -> str:
    kind = type(value)
    if kind in (str, bytes, bytearray):
        assert isinstance(value, str | bytes | bytearray)
        return repr(value[:limit])
    if value is None or kind in VALUED:
        return repr(value)
    if kind in SIZED or kind is range:
        return _container(value, limit, depth)
    if isinstance(value, type):
        return f"<class {name_of(value)!r}>"
    own = type.__dict__["__module__"].__get__(kind)
    if own == "numpy" and kind.__name__ == "ndarray":
        array: Any = value
        return f"<ndarray {array.shape} {array.dtype.name}>"
    called = getattr(value, "__name__", None) if own == "builtins" else None
    return f"<{name_of(kind)} {called}>" if isinstance(called, str) else f"<{name_of(kind)} object>"


def _container(value: Any, limit: int, depth: int) -> str:
    kind = type(value)
    if kind is range:
        return repr(value)
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
