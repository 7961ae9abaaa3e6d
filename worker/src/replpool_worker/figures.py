"""matplotlib's figures as images: at `plt.show()`, at `fig.show()`, and those that are open when an execution ends."""

import io
import sys
import weakref
from collections.abc import Callable
from typing import Any

# Shown, and not shown again unless they change: matplotlib calls a changed figure stale.
_shown: "weakref.WeakSet[Any]" = weakref.WeakSet()


def is_figure(value: object) -> bool:
    """Whether it is a figure of matplotlib's, asked without importing that."""
    module = sys.modules.get("matplotlib.figure")
    kind = getattr(module, "Figure", None)
    return type(kind) is type and issubclass(type(value), kind)


def png(figure: Any) -> bytes | None:
    """The figure as PNG in its own dpi, tight as notebooks have it; None of an empty one. Raises what drawing does."""
    _shown.add(figure)
    if len(figure.get_children()) <= 1:
        # Nothing but its own background.
        figure.stale = False
        return None
    image = io.BytesIO()
    try:
        figure.savefig(image, format="png", dpi="figure", bbox_inches="tight")
    finally:
        # Saving sets and resets the size. One that cannot be drawn is told of once.
        figure.stale = False
    return image.getvalue()


def unseen() -> list[Any]:
    """The figures that pyplot holds open and that are not shown as they are, in the order of their numbers."""
    return [figure for figure in _open() if figure not in _shown or figure.stale]


def close() -> None:
    """Close all of pyplot's figures; the objects stay usable."""
    if _managers():
        sys.modules["matplotlib.pyplot"].close("all")


def _managers() -> dict[int, Any]:
    pyplot = sys.modules.get("matplotlib.pyplot")
    helpers = sys.modules.get("matplotlib._pylab_helpers")
    if pyplot is None or helpers is None:
        return {}
    managers: dict[int, Any] = helpers.Gcf.figs
    return managers


def _open() -> list[Any]:
    """Without those that are empty."""
    managers = _managers()
    figures = [managers[number].canvas.figure for number in sorted(managers)]
    return [figure for figure in figures if len(figure.get_children()) > 1]


def attach(backend: Any, show: Callable[[object], object]) -> None:
    """Make matplotlib's agg backend show by `show(figure)`: agg itself only warns that it cannot."""
    bases = sys.modules["matplotlib.backend_bases"]

    def show_all(*_: object, block: bool | None = None, **__: object) -> None:
        """Show the open figures, and close them, as at the end of a cell.

        With `block` False (an animation's `plt.pause()`) the figures stay open, and are shown each time: pause draws
        them itself, so that nothing tells whether they changed.
        """
        try:
            for figure in _open() if block is False else unseen():
                show(figure)
        finally:
            if block is not False:
                close()

    class FigureManager(bases.FigureManagerBase):  # type: ignore[name-defined, misc]
        """What `fig.show()` asks."""

        def show(self) -> None:
            show(self.canvas.figure)

    backend.show = show_all
    if hasattr(backend.FigureCanvasAgg, "manager_class"):
        backend.FigureCanvasAgg.manager_class = FigureManager
    backend.FigureManager = FigureManager
