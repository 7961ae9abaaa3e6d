"""What user code may set in the interpreter and code of ours must not run under: tracing, and a low recursion limit."""

import contextlib
import sys
from typing import Any

# Enough for any code of ours (a traceback's text is the deepest) above the frames of an idle loop.
OUR_RECURSION_LIMIT = 1000

# Bound here: user code patches modules, as tests do, and must not hit the worker (test_patched_modules.py).
_settrace, _gettrace, _setprofile, _getprofile = sys.settrace, sys.gettrace, sys.setprofile, sys.getprofile
_setrecursionlimit, _getrecursionlimit = sys.setrecursionlimit, sys.getrecursionlimit


class Interpreter:
    """The user's settings, put aside while no code of the user's runs."""

    def __init__(self) -> None:
        self._trace: Any = None
        self._profile: Any = None
        self._recursion_limit = 0

    def lend(self) -> None:
        """Put the user's settings in force."""
        if self._recursion_limit:
            limit, self._recursion_limit = self._recursion_limit, 0
            # Refused where we stand deeper than that already; the user's next try is refused likewise.
            with contextlib.suppress(RecursionError):
                _setrecursionlimit(limit)
        if self._profile is not None:
            profile, self._profile = self._profile, None
            _setprofile(profile)
        if self._trace is not None:
            trace, self._trace = self._trace, None
            _settrace(trace)

    def take_back(self) -> None:
        """Put ours in force. A trace function that raises here is switched off by Python itself."""
        trace = _gettrace()
        if trace is not None:
            _settrace(None)
            self._trace = trace
        profile = _getprofile()
        if profile is not None:
            _setprofile(None)
            self._profile = profile
        limit = _getrecursionlimit()
        if limit < OUR_RECURSION_LIMIT:
            _setrecursionlimit(OUR_RECURSION_LIMIT)
            self._recursion_limit = limit
