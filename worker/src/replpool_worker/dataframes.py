"""pandas' frames, series, indexes and extension arrays, read as pandas lays them out since 1.3 (stored.py)."""

import datetime
from typing import Any

from .ndarrays import dtype_name, getter, is_ndarray, plain, static_type
from .stored import attribute, attributes, stored
from .tracebacks import name_of


def blocks(value: object) -> list[Any]:
    """The values that hold a frame's columns or a series, each of several columns; not pandas: []."""
    found = stored(attributes(value).get("_mgr"), "blocks")
    return [stored(block, "values") for block in found] if type(found) is tuple else []


def block_count(value: object) -> tuple[int, int]:
    """How many values hold a frame's columns, and an identity that changes where one comes or goes."""
    found = stored(attributes(value).get("_mgr"), "blocks")
    return (len(found), id(found)) if type(found) is tuple else (0, 0)


def axes(value: object) -> list[Any]:
    """A frame's columns and index, a series' index."""
    found = stored(attributes(value).get("_mgr"), "axes")
    return found if type(found) is list else []


def parts(values: object) -> list[Any]:
    """The arrays that an extension array keeps: data and the mask of what is missing; a numpy array itself."""
    if is_ndarray(values):
        return [values]
    found = [stored(values, name) for name in ("_ndarray", "_codes", "_data", "_mask", "_pa_array")]
    return [part for one in found if one is not None for part in ([one] if not _nests(one) else parts(one))]


def _nests(value: object) -> bool:
    return not is_ndarray(value) and stored(value, "_ndarray") is not None


def length(values: object) -> int | None:
    """The length of an index or of a column's values."""
    held = stored(values, "_range")
    if type(held) is range:
        return len(held)
    codes = stored(values, "_codes")
    if codes is not None and issubclass(type(codes), list) and list.__len__(codes):
        # Of several levels.
        values = list.__getitem__(codes, 0)
    data = values if is_ndarray(values) else stored(values, "_data")
    arrays = [part for part in parts(values if data is None else data) if is_ndarray(part)]
    return int(getter(arrays[0], "shape")[-1]) if arrays else None


def size(values: object) -> int | None:
    """Bytes of the data and of the mask."""
    data = stored(values, "_data")
    sizes = [_bytes(part) for part in parts(values if data is None or is_ndarray(data) else data)]
    return sum(size or 0 for size in sizes) if sizes and None not in sizes else None


def _bytes(part: object) -> int | None:
    size = getter(part, "nbytes") if is_ndarray(part) else stored(part, "nbytes")
    return size if type(size) is int else None


def values_dtype(values: object) -> str | None:
    """The dtype as pandas names it."""
    if is_ndarray(values):
        return dtype_name(getter(values, "dtype"))
    dtype = stored(values, "_dtype")
    if dtype is not None:
        return _name(dtype)
    data = stored(values, "_data")
    if not is_ndarray(data):
        return None if data is None else values_dtype(data)
    name = dtype_name(getter(data, "dtype"))
    # Types with missing values of their own are told by a capital.
    return "boolean" if name == "bool" else f"{name[0].upper()}{name[1:]}".replace("Uint", "UInt")


def _name(dtype: object) -> str:
    if static_type(type(dtype), "dtype") is not None:
        return dtype_name(dtype)
    name = attribute(type(dtype), "name")
    if type(name) is str:
        return name
    shown = name_of(type(dtype)).removesuffix("Dtype")
    if shown == "DatetimeTZ":
        zone = stored(dtype, "_tz")
        key = str(zone) if type(zone) is datetime.timezone else stored(zone, "key")
        unit = stored(dtype, "_unit")
        return f"datetime64[{unit if type(unit) is str else '?'}, {key if type(key) is str else name_of(type(zone))}]"
    # The two types of text differ in what is missing: NaN or NA.
    return "str" if shown == "String" and type(stored(dtype, "_na_value")) is float else shown.lower()


def columns(value: object, count: int) -> list[tuple[object, Any]]:
    """`[(label, values)]` of a frame's first columns; what is no frame has none."""
    ends = axes(value)
    manager = attributes(value).get("_mgr")
    numbers, places = stored(manager, "_blknos"), stored(manager, "_blklocs")
    if len(ends) != 2 or not is_ndarray(numbers) or not is_ndarray(places):
        return []
    held = blocks(value)
    labels = [part for part in parts(stored(ends[0], "_data")) if is_ndarray(part)]
    found: list[tuple[object, Any]] = []
    for position in range(min(count, length(ends[0]) or 0)):
        values = held[int(plain(numbers)[position])]
        if is_ndarray(values):
            values = plain(values)[int(plain(places)[position])]
        label = plain(labels[0])[position : position + 1].tolist()[0] if labels else position
        found.append((label, values))
    return found
