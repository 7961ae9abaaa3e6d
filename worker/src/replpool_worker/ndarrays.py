"""numpy's arrays, read by the getters and methods of their own C type (stored.py)."""

from typing import Any

from .stored import bases, is_heap_type, module_of, stored
from .tracebacks import name_of

KINDS = {"i": "int", "u": "uint", "f": "float", "c": "complex", "S": "bytes", "U": "str", "V": "void"}
WHOLE = {"b": "bool", "O": "object", "T": "StringDType"}
TIMES = {"M": "datetime64", "m": "timedelta64"}
FIELDS = 20


def static_type(kind: type, name: str) -> Any:
    """numpy's own type of that name among the bases. It is static: no class of Python's passes for it."""
    for base in bases(kind):
        if name_of(base) == name and not is_heap_type(base) and module_of(base) == "numpy":
            return base
    return None


def is_ndarray(value: object) -> bool:
    """Whether it is an array of numpy's, of a subclass too."""
    return static_type(type(value), "ndarray") is not None


def getter(value: object, name: str) -> Any:
    """An attribute of numpy's array or scalar, whatever a subclass has of that name."""
    kind = static_type(type(value), "ndarray") or static_type(type(value), "generic")
    return kind.__dict__[name].__get__(value)


def plain(value: Any) -> Any:
    """A view as numpy's own type, whose methods are C, not what a subclass made of them."""
    kind = static_type(type(value), "ndarray")
    return value if kind is type(value) else kind.__dict__["view"](value, kind)


def elements(value: object, count: int) -> list[Any]:
    """The first `count` along each axis of an array, nested as its axes are, as values of Python's own."""
    view = plain(value)
    made = view[tuple(slice(0, count) for _ in view.shape)].tolist()
    return made if type(made) is list else [made]


def dtype_name(dtype: Any) -> str:
    """As numpy names it, `float64`; a structured one by its fields, `{x: int32, y: float64}`."""
    names = stored(dtype, "names")
    if type(names) is tuple:
        fields = stored(dtype, "fields")
        shown = [f"{name}: {dtype_name(fields[name][0])}" for name in names[:FIELDS]]
        return f"{{{', '.join(shown)}{', …' if len(names) > FIELDS else ''}}}"
    kind = stored(dtype, "kind")
    if kind in TIMES:
        # "<M8[ns]"
        return f"{TIMES[kind]}{stored(dtype, 'str')[3:]}"
    scalar = name_of(stored(dtype, "type"))
    if kind == "V" and scalar != "void":
        # Of another library, such as bfloat16.
        return scalar
    return WHOLE.get(kind) or f"{KINDS.get(kind, kind)}{stored(dtype, 'itemsize') * 8}"
