"""A copy of the namespace's variables, for sessions that cannot be forked: a deep one, within a budget of bytes.

One memo serves all variables, so that what two names share is shared by their copies. What cannot be copied keeps its
reference and is named.
"""

import asyncio
import builtins
import copy
import gc
import sys
import types
import weakref
from typing import Any

from .arrays import array
from .interrupts import Interrupts
from .namespace import Namespace
from .stored import SIZED, is_heap_type
from .tracebacks import name_of

WHY_CHARACTERS = 200
# A frame takes any number of names; nobody reads more.
NOT_COPIED = 1000
# The result of the last expression: copied, but no variable.
LAST = "_"

# Of these the copy is the thing itself: what deepcopy keeps, and modules, at which it fails.
KEPT = (range, type(None), bool, int, float, complex, str, bytes)
FREE = (
    type,
    types.ModuleType,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.CodeType,
    property,
    weakref.ref,
    # deepcopy fails at these. Behind them stands the whole process, which must not be said to be too much.
    types.GeneratorType,
    types.CoroutineType,
    types.AsyncGeneratorType,
    types.FrameType,
    asyncio.Future,
    asyncio.AbstractEventLoop,
)

# Bound here: user code patches modules, as tests do, and must not hit the worker (test_patched_modules.py).
_deepcopy, _get_referents, _getsizeof = copy.deepcopy, gc.get_referents, sys.getsizeof


class _TooLarge(Exception):
    """The budget does not allow it."""


class NamespaceCopy:
    """`names`: the variables as they were; `bytes`: about how much was copied; `not_copied`: `[{name, why}]`."""

    def __init__(self, namespace: Namespace, budget: int) -> None:
        self._namespace = namespace
        self._budget = budget
        self.names: dict[str, Any] = {}
        self.bytes = 0
        self.not_copied: list[dict[str, str]] = []
        self._last: list[object] = []

    def take(self, interrupts: Interrupts) -> None:
        """Copy, variable by variable; the user's `__deepcopy__` and `__reduce__` may run in it."""
        variables = self._namespace.variables()
        memo: dict[int, Any] = {}
        # What has a place of its own in the process, and what no copy of could be meant.
        for one in (self._namespace.names, builtins.__dict__, sys.stdin, sys.stdout, sys.stderr, sys.modules):
            memo[id(one)] = one
        seen: set[int] = set(memo)
        stopped: str | None = None
        for name, value in variables.items():
            why = stopped
            if why is None:
                try:
                    self.names[name] = self._copy(value, memo, seen, interrupts)
                    continue
                except KeyboardInterrupt:
                    why = stopped = "the copying was interrupted"
                except _TooLarge as error:
                    why = str(error)
                except BaseException as error:
                    why = _why(error, interrupts)
            self.names[name] = value
            if len(self.not_copied) < NOT_COPIED:
                self.not_copied.append({"name": name, "why": why})
        held = self._namespace.names.get(LAST)
        self._last.append(held)
        if stopped is None:
            try:
                self._last[0] = self._copy(held, memo, seen, interrupts)
            except BaseException:
                # No variable, so that nobody is told.
                self._last[0] = held
        # Last references to what temporary objects the copying made, with their `__del__`.
        quietly(interrupts, memo.clear)

    def _copy(self, value: Any, memo: dict[int, Any], seen: set[int], interrupts: Interrupts) -> Any:
        before = len(memo)
        counted: list[int] = []
        try:
            size = self._measure(value, memo, seen, counted)
            made = interrupts.run_user_code(lambda: _deepcopy(value, memo))
        except BaseException:
            # Half a copy must not stand for the whole where another variable holds the same.
            quietly(interrupts, lambda: _shorten(memo, before))
            seen.difference_update(counted)
            raise
        self.bytes += size
        return made

    def _measure(self, value: object, memo: dict[int, Any], seen: set[int], counted: list[int]) -> int:
        """About the bytes that a copy of it takes, found without making one. No user code runs. Raises _TooLarge."""
        left = self._budget - self.bytes
        size = 0
        todo = [value]
        while todo:
            one = todo.pop()
            kind = type(one)
            if id(one) in seen:
                continue
            seen.add(id(one))
            counted.append(id(one))
            if issubclass(kind, FREE):
                # deepcopy would fail at a module.
                if issubclass(kind, types.ModuleType):
                    memo[id(one)] = one
                continue
            if issubclass(kind, KEPT) and not is_heap_type(kind):
                continue
            known = array(one)
            size += _size(one, kind)
            if known is not None and known.size is not None:
                size += known.size
            if size > left:
                raise _TooLarge(f"it takes more than the {max(0, left):,} bytes that are left of the copy's limit")
            if known is None:
                todo.extend(_get_referents(one))
        return size

    def put_back(self, interrupts: Interrupts) -> list[object]:
        """Make the names what they were, in the dictionary that functions know. Returns what they stood for."""
        former: list[object] = []

        def replace() -> None:
            names = self._namespace.names
            # A signal's handler must not leave half of them.
            with interrupts:
                for name in self._namespace.variables():
                    former.append(names.pop(name, None))
                former.append(names.pop(LAST, None))
                names.update(self.names)
                if self._last[0] is not None:
                    names[LAST] = self._last[0]

        quietly(interrupts, replace)
        return former


def _size(value: object, kind: type) -> int:
    for one in SIZED:
        if issubclass(kind, one):
            return int(one.__sizeof__(value))
    return object.__sizeof__(value)


def _shorten(memo: dict[int, Any], length: int) -> None:
    while len(memo) > length:
        memo.popitem()


def quietly(interrupts: Interrupts, function: Any) -> None:
    """Call what may run a `__del__` of the user's; a signal's handler may raise out of it."""
    try:
        interrupts.run_beside(function)
    except BaseException:
        return


def _why(error: BaseException, interrupts: Interrupts) -> str:
    kind = name_of(type(error))
    try:
        text: str = interrupts.run_beside(lambda: str(error))
    except BaseException:
        text = ""
    return (f"{kind}: {text}" if text else kind)[:WHY_CHARACTERS]
