"""What an execution changed in the namespace, told by prints of it before and after, without running user code.

A name is `changed` when it is bound to another object, or to the same one and what can be seen of it cheaply differs:
the value of numbers and of text, the elements of containers, the attributes of instances of the session's own classes,
the data of arrays and frames. Seeing is bounded: beyond a budget, arrays are sampled, and of others only the length and
the identity count. So a name that is told has changed, and a small change inside something large may not be told.
"""

import contextlib
import types
import zlib
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from .arrays import contents, is_array
from .ndarrays import getter, is_ndarray, owns_memory, plain, static_type
from .stored import SIZED, attributes, is_heap_type, length, module_of, slots

# Work is counted in bytes of an array's data, of which reading 1 MiB takes 0.3 ms, and that of other things by the time
# that they take. All variables together may cost so much, and one alone half of it.
TOTAL = 3 << 18
ONE = TOTAL // 2
# Of the total what arrays leave: a dozen big ones must not hide that a small dict changed.
RESERVED = TOTAL // 3
SAMPLE = 32 << 10
# An object, an element that is looked at in turn, and one that is only compared by value or identity.
OBJECT = 16 << 10
ELEMENT = 1 << 10
SCALAR = 128
DEPTH = 4
TEXT = 4096
SMALL = 1 << 64
# Arrays of a frame or a data set.
PARTS = 32

# By identity: equality and hashing of a class are its metaclass's, which may be the user's.
NUMBERS = frozenset(map(id, (float, complex, bool, type(None))))
TEXTS = frozenset(map(id, (str, bytes)))
SCALARS = NUMBERS | {id(int)}
SEQUENCES = (list, tuple, set, frozenset, deque)


@dataclass
class Prints:
    """What was seen of each variable, and the work that was allowed for it, where it was looked at.

    What was looked at once is looked at again with the same effort, or two prints could not be compared.
    """

    marks: dict[str, object] = field(default_factory=dict)
    given: dict[str, int] = field(default_factory=dict)


def fingerprints(variables: Mapping[str, object], like: Prints | None = None) -> Prints:
    """A print of each variable; of those that are in `like`, made with the same effort.

    References are kept to numbers and short texts only: `del x` in the code frees x at once.
    """
    before = Prints() if like is None else like
    left = TOTAL
    prints = Prints()
    marks = prints.marks
    opaque: dict[int, bool] = {}
    reserved: dict[int, int] = {}
    for name, value in variables.items():
        kind = type(value)
        number = id(kind)
        if (
            number in NUMBERS
            or (type(value) is int and -SMALL < value < SMALL)
            or ((type(value) is str or type(value) is bytes) and len(value) <= TEXT)
        ):
            # Itself, and no tuple round it: of many variables those alone would cost a garbage collection.
            marks[name] = value
            continue
        if number not in opaque:
            opaque[number] = _is_opaque(kind)
            reserved[number] = RESERVED if not opaque[number] and is_array(kind) else 0
        given = before.given.get(name, 0 if name in before.marks else min(left - reserved[number], ONE))
        if given < OBJECT or opaque[number]:
            marks[name] = id(value), number
            continue
        look = _Look(given)
        marks[name] = look.print(value)
        prints.given[name] = given
        left = max(0, left - look.spent)
    return prints


def changes(before: Prints, after: Prints) -> dict[str, list[str]]:
    """`{added, changed, deleted}`: names, in the namespace's order."""
    old, new = before.marks, after.marks
    return {
        "added": [name for name in new if name not in old],
        "changed": [name for name, mark in new.items() if name in old and _differ(old[name], mark)],
        "deleted": [name for name in old if name not in new],
    }


def _differ(old: object, new: object) -> bool:
    return old is not new and (type(old) is not type(new) or old != new)


class _Look:
    """A look at one variable, for at most `given` work."""

    def __init__(self, given: int) -> None:
        self.given = given
        self.spent = 0

    def print(self, value: object) -> object:
        """What can be seen of the value; equal prints look alike."""
        # A thread may change it while we look.
        with contextlib.suppress(Exception):
            return self._at(value, DEPTH)
        return _identity(value)

    def _may(self, cost: int) -> bool:
        if self.spent + cost > self.given:
            return False
        self.spent += cost
        return True

    def _at(self, value: object, depth: int) -> object:
        kind = type(value)
        number = id(kind)
        if number in NUMBERS:
            return number, value
        if number in TEXTS:
            text = cast(str, value)
            return (number, text) if len(text) <= TEXT else (id(text), len(text), text[:64], text[-64:])
        if kind is int:
            integer = cast(int, value)
            return (number, integer) if -SMALL < integer < SMALL else (id(integer), integer.bit_length())
        if _is_opaque(kind) or not self._may(OBJECT):
            return _identity(value)
        size = length(value)
        if depth == 0:
            return *_identity(value), size
        if size is not None:
            return *_identity(value), size, self._elements(value, size, depth)
        held = contents(value, PARTS)
        if held is not None:
            return *_identity(value), *(self._data(one) for one in held)
        if module_of(kind) == "__main__" or kind is types.SimpleNamespace:
            fields = attributes(value)
            return *_identity(value), self._elements(fields, len(fields), depth), self._row(slots(value), depth)
        return _identity(value)

    def _elements(self, value: Any, size: int, depth: int) -> object:
        """Of a container, by the methods of Python's own type: a subclass's are not called."""
        kind = type(value)
        if issubclass(kind, dict):
            if not self._may(2 * SCALAR * size):
                return None
            return self._row(list(dict.keys(value)), depth), self._row(list(dict.values(value)), depth)
        for base in SEQUENCES:
            if issubclass(kind, base):
                return self._row(list(base.__iter__(value)), depth) if self._may(SCALAR * size) else None
        if issubclass(kind, bytearray) and self._may(size):
            return zlib.crc32(bytearray.__getitem__(value, slice(None)))
        return None

    def _row(self, items: list[object], depth: int) -> object:
        if set(map(id, map(type, items))) <= SCALARS:
            return items
        if self._may(ELEMENT * len(items)):
            return [self._at(one, depth - 1) for one in items]
        return hash(tuple(map(id, items)))

    def _data(self, value: Any) -> object:
        """Of what contents() gives: arrays, values, and objects whose identity tells."""
        if type(value) is int or type(value) is str:
            return value
        if type(value) is tuple and all(type(one) is int for one in value):
            # Of anything else, comparing it may be the user's code.
            return value
        if not is_ndarray(value) or not self._may(OBJECT):
            return id(value)
        view, layout = plain(value), (id(value), getter(value, "shape"), id(getter(value, "dtype")))
        if not owns_memory(value):
            return layout
        if self._may(getter(value, "nbytes")):
            return layout, _checksum(view)
        if self._may(SAMPLE):
            return layout, _sample(view)
        return layout


def _is_opaque(kind: type) -> bool:
    """Whether nothing of its instances is looked at: functions, modules, classes and most types of C."""
    if not is_heap_type(kind):
        return not issubclass(kind, (*SIZED, types.SimpleNamespace)) and static_type(kind, "ndarray") is None
    return issubclass(kind, type)


def _identity(value: object) -> tuple[int, int]:
    return id(value), id(type(value))


def _checksum(view: Any) -> int:
    """Of the memory of an array, whatever its dtype; of objects, which ones they are."""
    for one in (view, view.T):
        with contextlib.suppress(ValueError):
            return zlib.crc32(one)
    return zlib.crc32(view.tobytes())


def _sample(view: Any) -> int:
    """Of about a thousand elements, spread over the array, its first and its last among them."""
    share = max(1, int(1000 ** (1 / len(view.shape))))
    spread = view[tuple(slice(None, None, max(1, length // share)) for length in view.shape)].tobytes()
    return zlib.crc32(view[tuple(slice(-1, None) for _ in view.shape)].tobytes(), zlib.crc32(spread))
