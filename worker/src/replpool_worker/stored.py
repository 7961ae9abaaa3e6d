"""What an object holds, read from where C keeps it: no property, no `__getattr__`, no metaclass is called.

Whether a class really is the library's whose name it has does not matter then: nothing of it runs.
"""

import contextlib
import types
from collections import deque
from collections.abc import Sized
from typing import Any, cast

_FLAGS = type.__dict__["__flags__"]
_MRO = type.__dict__["__mro__"]
_DICT = type.__dict__["__dict__"]
_MODULE = type.__dict__["__module__"]
SIZED: tuple[type[Sized], ...] = (str, bytes, list, dict, tuple, set, frozenset, bytearray, range, deque)
# Attributes of C: getters (of Cython and of properties in C) and slots. A property of Python's is another type.
DESCRIPTORS = (types.GetSetDescriptorType, types.MemberDescriptorType)
HEAP_TYPE = 1 << 9


def bases(kind: type) -> tuple[type, ...]:
    """The class and its bases, in the order of lookup."""
    found: tuple[type, ...] = _MRO.__get__(kind)
    return found


def is_heap_type(kind: type) -> bool:
    """Whether the class may be of Python code; one in static memory is of C."""
    return bool(_FLAGS.__get__(kind) & HEAP_TYPE)


def module_of(kind: type) -> str | None:
    """The name of the module that says it is the class's."""
    module = _MODULE.__get__(kind)
    return module if type(module) is str else None


def attribute(kind: type, name: str) -> Any:
    """What a class or the first of its bases has under `name`, unbound; None where none has it."""
    for base in bases(kind):
        found = _DICT.__get__(base).get(name)
        if found is not None:
            return found
    return None


def attributes(value: object) -> dict[str, Any]:
    """The `__dict__` of an instance; empty where it has none."""
    for base in bases(type(value)):
        getter = _DICT.__get__(base).get("__dict__")
        if _is_descriptor(getter):
            found = getter.__get__(value)
            return found if type(found) is dict else {}
    return {}


def stored(value: object, name: str) -> Any:
    """An instance's attribute, from its `__dict__`, a slot or a getter of C; None where it has none such."""
    found = attributes(value).get(name)
    if found is not None:
        return found
    for base in bases(type(value)):
        getter = _DICT.__get__(base).get(name)
        if _is_descriptor(getter):
            return getter.__get__(value)
    return None


def slots(value: object) -> list[object]:
    """What the slots of an instance hold."""
    found = []
    for base in bases(type(value)):
        for getter in _DICT.__get__(base).values():
            if type(getter) is types.MemberDescriptorType:
                try:
                    found.append(getter.__get__(value))
                except AttributeError:
                    found.append(None)
    return found


def call(value: object, name: str) -> Any:
    """Call a method of C that takes no arguments; None where the class has none such."""
    method = attribute(type(value), name)
    return method(value) if type(method) is types.MethodDescriptorType else None


def _is_descriptor(value: object) -> bool:
    return type(value) is DESCRIPTORS[0] or type(value) is DESCRIPTORS[1]


def length(value: object) -> int | None:
    """`len()` of a container or text of Python's own types or of a subclass, whose own `__len__` is not asked."""
    for kind in SIZED:
        if issubclass(type(value), kind):
            # That of a range may be no index.
            with contextlib.suppress(OverflowError):
                return kind.__len__(cast(Sized, value))
    return None
