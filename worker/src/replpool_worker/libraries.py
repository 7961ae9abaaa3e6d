"""What libraries need to know of a session: told to each right after it is imported, and without importing any.

A notebook's kernel is what matplotlib, plotly and IPython.display look for. A session is none, and does not pretend to
be: `get_ipython()` is None, and what depends on one is set here, library by library.
"""

import contextlib
import os
import sys
import types
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from typing import Any

from . import display, figures

# Their own defaults would ask for a screen or a browser.
ENVIRONMENT = {"MPLBACKEND": "agg"}
# Figures as plotly's own JSON, and as HTML that needs nothing on the page before it.
PLOTLY_RENDERER = "plotly_mimetype+colab"


def _ipython(module: Any) -> None:
    """Lead `from IPython.display import display` here; without a shell of its own it only prints."""
    for name in ("display", "update_display", "clear_output", "publish_display_data", "DisplayHandle"):
        if hasattr(module, name):
            setattr(module, name, getattr(display, name))


def _matplotlib(module: Any) -> None:
    figures.attach(module, display.display)


def _plotly(module: Any) -> None:
    """Let `fig.show()` display: plotly asks for IPython and nbformat, and uses no more than one `display()` of them."""
    if "PLOTLY_RENDERER" not in os.environ:
        module.renderers.default = PLOTLY_RENDERER
    if module.ipython_display is None:
        module.ipython_display = display
    if module.nbformat is None:
        module.nbformat = types.SimpleNamespace(__version__="5.0.0")


AFTER_IMPORT: dict[str, Callable[[Any], None]] = {
    "IPython.core.display_functions": _ipython,
    # Before IPython 7.23 they stood here.
    "IPython.core.display": _ipython,
    "IPython.display": _ipython,
    "matplotlib.backends.backend_agg": _matplotlib,
    "plotly.io._renderers": _plotly,
}


class Finder:
    """First in `sys.meta_path`: finds what the others find, and adds to a library's loader what is done after it."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of a library that is looked for here; None leaves a module to the other finders."""
        after = AFTER_IMPORT.get(name)
        if after is None:
            return None
        spec = self._find(name, path, target)
        if spec is not None and spec.loader is not None:
            # A loader that takes no attributes (of C or of slots) does without.
            with contextlib.suppress(AttributeError):
                loader: Any = spec.loader
                loader.exec_module = _then(loader.exec_module, after)
        return spec

    def _find(self, name: str, path: Sequence[str] | None, target: types.ModuleType | None) -> ModuleSpec | None:
        for finder in sys.meta_path:
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec = None if find is None else find(name, path, target)
            if isinstance(spec, ModuleSpec):
                return spec
        return None


def _then(execute: Callable[[Any], None], after: Callable[[Any], None]) -> Callable[[Any], None]:
    def run(module: Any) -> None:
        execute(module)
        # A version that looks different inside goes without; its import does not fail for it.
        with contextlib.suppress(Exception):
            after(module)

    return run


def prepare() -> None:
    """Set the environment where the user has not, and stand before the imports; once a process."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if any(isinstance(finder, Finder) for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, Finder())
    for name, after in AFTER_IMPORT.items():
        module = sys.modules.get(name)
        if module is not None:
            with contextlib.suppress(Exception):
                after(module)
