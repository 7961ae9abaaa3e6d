"""The session's one namespace: a real `__main__` module, so that classes pickle by reference."""

import sys
import types
from typing import Any

# What a fresh module has; the rest of the namespace are variables.
HIDDEN = frozenset(
    [
        "__name__",
        "__doc__",
        "__package__",
        "__loader__",
        "__spec__",
        "__builtins__",
        "__file__",
        "__annotations__",
        "__annotate__",
        "__annotate_func__",
        "__annotations_cache__",
        "__conditional_annotations__",
        "__warningregistry__",
        "_",
    ]
)


class Namespace:
    """`names` is the dictionary in which user code runs."""

    def __init__(self) -> None:
        self._former = sys.modules.get("__main__")
        self.module = types.ModuleType("__main__")
        self.names: dict[str, Any] = self.module.__dict__
        self.names["__builtins__"] = sys.modules["builtins"]
        sys.modules["__main__"] = self.module

    def variables(self) -> dict[str, Any]:
        """A copy of the user's own names, taken in one step so that threads may go on changing the original."""
        return {name: value for name, value in self.named().items() if name not in HIDDEN}

    def named(self) -> dict[str, Any]:
        """A copy of all names. `globals()` takes other keys too, that no frame can carry and whose `__eq__` is code."""
        return {name: value for name, value in self.names.copy().items() if type(name) is str}
