"""A session's working folder, where a copy of it is to take its place."""

import contextlib
import os
import sys

# Bound here: user code patches modules, as tests do, and must not hit the worker (test_patched_modules.py).
_chdir, _getcwd, _realpath, _environ = os.chdir, os.getcwd, os.path.realpath, os.environ


def move(former: str, folder: str) -> None:
    """Be in `folder` where this process was in `former`, likewise below it, and import from there. Raises OSError.

    `former` and `folder` are absolute. Who had left the folder stays where it is.
    """
    here = None
    # The current folder may have been removed.
    with contextlib.suppress(OSError):
        here = _moved(_getcwd(), former, folder)
    if here is not None:
        try:
            _chdir(here)
        except OSError:
            # A folder that the copy does not have.
            _chdir(folder)
    shown = _environ.get("PWD")
    if shown is not None:
        _environ["PWD"] = _moved(shown, former, folder) or shown
    # User code may have put anything there.
    if type(sys.path) is list:
        sys.path[:] = [(type(one) is str and _moved(one, former, folder)) or one for one in sys.path]


def _moved(path: str, former: str, folder: str) -> str | None:
    """Where a path at or below `former` is in `folder`; None for any other."""
    for root in (former, _realpath(former)):
        if path == root or path.startswith(root.rstrip("/") + "/"):
            return folder + path[len(root.rstrip("/")) :]
    return None
