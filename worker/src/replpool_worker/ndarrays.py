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


def owns_memory(value: object) -> bool:
    """Whether an array's elements lie in the memory of an array or of bytes that it keeps.

    Others (a mapped file, a pointer of C) may be gone, and reading them ends the process; so may be those of a view
    whose array was made smaller since.
    """
    owner, base = value, getter(value, "base")
    while base is not None and is_ndarray(base):
        owner, base = base, getter(base, "base")
    if type(base) is memoryview:
        # It may have been released.
        try:
            base = base.obj
        except ValueError:
            return False
    if base is not None:
        return type(base) is bytes or type(base) is bytearray
    if not getter(owner, "flags")["OWNDATA"]:
        return False
    if owner is value:
        return True
    (low, high), (start, end) = _extent(value), _extent(owner)
    return start <= low and high <= end


def _extent(value: object) -> tuple[int, int]:
    """The addresses of an array's first byte and behind its last."""
    low: int = getter(value, "__array_interface__")["data"][0]
    high, shape = low, getter(value, "shape")
    if 0 in shape:
        return low, high
    for length, stride in zip(shape, getter(value, "strides"), strict=True):
        step = (length - 1) * stride
        low, high = low + min(0, step), high + max(0, step)
    return low, high + getter(value, "itemsize")


def item(value: object) -> Any:
    """A scalar of numpy's as a value of Python's own; `...` for a record in memory that may be gone."""
    void = static_type(type(value), "void")
    base = None if void is None else void.__dict__["base"].__get__(value)
    if base is not None and not (is_ndarray(base) and owns_memory(base)):
        return ...
    return static_type(type(value), "generic").__dict__["item"](value)


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
