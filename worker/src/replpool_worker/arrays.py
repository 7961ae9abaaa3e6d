"""Arrays and frames of numpy, pandas, polars, xarray and torch: shape, dtype and bytes, without running their code.

None of the libraries is imported. A class is known by its name, and its instances are read as the library lays them out
(stored.py); where a version does so differently, the fields that depend on it are left out.
"""

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from . import dataframes
from .ndarrays import dtype_name, getter, is_ndarray
from .stored import bases, call, is_heap_type, module_of, stored
from .tracebacks import name_of

# Of a frame that was put together from more blocks than these the bytes are not counted.
PARTS = 200


@dataclass
class Array:
    """What is known of one: `shape` is the length along each axis, `size` the bytes of its data."""

    shape: tuple[int, ...] | None = None
    dtype: str | None = None
    size: int | None = None


def array(value: object) -> Array | None:
    """What is known of an array or frame; None for anything else."""
    reader = _reader(type(value))
    if reader is None:
        return None
    known = Array()
    # It may be halfway through a change by another thread, or of another version.
    with contextlib.suppress(Exception):
        reader(value, known)
    return _checked(known)


def _checked(known: Array) -> Array:
    """Without what is not of Python's own types, for asking it may run code of a class that only claims to be one."""
    if type(known.shape) is not tuple or not all(map(_is_count, known.shape)):
        known.shape = None
    if type(known.dtype) is not str:
        known.dtype = None
    if not _is_count(known.size):
        known.size = None
    return known


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 63


def is_array(kind: type) -> bool:
    """Whether instances of the class are arrays or frames, as far as its name tells."""
    return _reader(kind) is not None


def contents(value: object, limit: int) -> list[object] | None:
    """What holds the content of an array or frame: numpy arrays, numbers, and objects whose identity tells.

    None for anything else. Of one of more than `limit` parts, only what tells that parts came or went. Raises what an
    unknown layout does.
    """
    reader = _reader(type(value))
    if reader is None:
        return None
    if is_ndarray(value):
        mask = stored(value, "_mask")
        return [value] if mask is None else [value, mask]
    if reader is _read_frame:
        count, identity = dataframes.block_count(value)
        if count > limit:
            return [*dataframes.axes(value), identity]
        parts = [part for block in dataframes.blocks(value) for part in dataframes.parts(block)]
        return [*dataframes.axes(value), *parts]
    if reader is _read_data_array:
        return [stored(stored(value, "_variable"), "_data")]
    if reader is _read_dataset:
        variables = _plain_dict(stored(value, "_variables"))
        if len(variables) > limit:
            return [id(variables), len(variables)]
        return [part for held in variables.values() for part in (id(held), stored(held, "_data"))]
    if reader is _read_tensor:
        # Counts the changes in place.
        return [stored(value, "_version")]
    known = Array()
    reader(value, known)
    _checked(known)
    return [stored(value, "_df"), stored(value, "_s"), known.shape, known.size]


def _read_ndarray(value: object, known: Array) -> None:
    known.shape, known.size = getter(value, "shape"), getter(value, "nbytes")
    known.dtype = dtype_name(getter(value, "dtype"))


def _read_frame(value: object, known: Array) -> None:
    """Of a frame and of a series, which has one axis and one block."""
    axes = dataframes.axes(value)
    if dataframes.block_count(value)[0] <= PARTS:
        known.size = _sum(dataframes.size(block) for block in dataframes.blocks(value))
    if len(axes) == 1:
        known.dtype = dataframes.values_dtype(dataframes.blocks(value)[0])
    lengths = [dataframes.length(axis) for axis in reversed(axes)]
    known.shape = None if None in lengths else tuple(length or 0 for length in lengths)


def _sum(sizes: Iterable[int | None]) -> int | None:
    found = list(sizes)
    return None if None in found else sum(size or 0 for size in found)


def _read_index(value: object, known: Array) -> None:
    length = dataframes.length(value)
    known.shape = None if length is None else (length,)
    if type(stored(value, "_range")) is range:
        known.dtype = "int64"
    elif stored(value, "_codes") is None:
        known.size = dataframes.size(value)
        known.dtype = dataframes.values_dtype(stored(value, "_data"))


def _read_polars_frame(value: object, known: Array) -> None:
    frame = stored(value, "_df")
    known.shape, known.size = call(frame, "shape"), call(frame, "estimated_size")


def _read_polars_series(value: object, known: Array) -> None:
    series = stored(value, "_s")
    known.shape, known.size = (call(series, "len"),), call(series, "estimated_size")
    dtype = call(series, "dtype")
    known.dtype = name_of(dtype if issubclass(type(dtype), type) else type(dtype))


def _read_data_array(value: object, known: Array) -> None:
    data = stored(stored(value, "_variable"), "_data")
    if is_ndarray(data):
        _read_ndarray(data, known)


def _read_dataset(value: object, known: Array) -> None:
    variables = _plain_dict(stored(value, "_variables"))
    if len(variables) <= PARTS:
        known.size = _sum(dataframes.size(stored(variable, "_data")) for variable in variables.values())
    known.shape = tuple(_plain_dict(stored(value, "_dims")).values())


def _plain_dict(value: object) -> dict[Any, Any]:
    # A subclass's methods may be the user's.
    if type(value) is not dict:
        raise TypeError("a layout that is not known")
    return value


def _read_tensor(value: object, known: Array) -> None:
    if module_of(type(value)) not in ("torch", "torch.nn.parameter"):
        # A subclass may have a `__torch_function__`, which even the getters of C call.
        return
    known.size = stored(value, "nbytes")
    known.shape = tuple(tuple.__iter__(stored(value, "shape")))
    dtype = stored(value, "dtype")
    kind = type(dtype)
    if not is_heap_type(kind) and (module_of(kind), name_of(kind)) == ("torch", "dtype"):
        known.dtype = repr(dtype).removeprefix("torch.")


Reader = Callable[[Any, Array], None]
READERS: dict[str, dict[str, Reader]] = {
    "numpy": {"ndarray": _read_ndarray, "generic": _read_ndarray},
    "pandas": {"DataFrame": _read_frame, "Series": _read_frame, "Index": _read_index},
    "polars": {"DataFrame": _read_polars_frame, "Series": _read_polars_series},
    "xarray": {"DataArray": _read_data_array, "Dataset": _read_dataset},
    "torch": {"Tensor": _read_tensor},
}


def _reader(kind: type) -> Reader | None:
    for base in bases(kind):
        module = module_of(base)
        readers = None if module is None else READERS.get(module.partition(".")[0])
        reader = None if readers is None else readers.get(name_of(base))
        if reader is not None:
            return reader
    return None
