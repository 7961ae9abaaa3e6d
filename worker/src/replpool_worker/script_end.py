"""The end of a process that code of a session forked, and that came back to us: as at the end of a script."""

import contextlib
import os
import sys
from typing import NoReturn

from .tracebacks import describe

# Bound here: user code patches modules, as tests do, and must not hit the worker (test_patched_modules.py).
_exit = os._exit


def end_as_script(error: BaseException | None) -> NoReturn:
    """Show the error that the code ended with, where it is one, flush the streams, and exit with a script's code."""
    code = 0
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    elif error is not None:
        code = 1
    # The streams may be anything by now.
    with contextlib.suppress(Exception):
        if error is not None and not isinstance(error, SystemExit):
            sys.stderr.write("".join(describe(error)["traceback"]))
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    _exit(code & 0xFF)
