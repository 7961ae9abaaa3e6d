"""What every forked process does first, ahead of the hooks of user code, which may hang.

Hooks for forks run in the order of their registration, so that ours is registered before the first module of a template
is imported.
"""

import os
from collections.abc import Callable

_hooks: list[Callable[[], None]] = []


def install() -> None:
    """Once in a process, and before any code of the user's or the template's."""
    os.register_at_fork(after_in_child=_run)


def first_in_child(hook: Callable[[], None]) -> None:
    """Call `hook` in each process that this one forks, whoever forks it."""
    _hooks.append(hook)


def _run() -> None:
    for hook in _hooks:
        hook()
