"""A value as a MIME bundle: text/plain always, and what its `_repr_*_` methods or matplotlib give."""

import io
import sys
from typing import Any

from .frames import clean
from .tracebacks import name_of

METHODS = {
    "_repr_html_": "text/html",
    "_repr_markdown_": "text/markdown",
    "_repr_latex_": "text/latex",
    "_repr_svg_": "image/svg+xml",
    "_repr_png_": "image/png",
    "_repr_jpeg_": "image/jpeg",
    "_repr_pdf_": "application/pdf",
    "_repr_json_": "application/json",
    "_repr_javascript_": "application/javascript",
}
Bundle = tuple[dict[str, Any], dict[str, Any]]


def safe_repr(value: object) -> str:
    """repr(value); where that raises, a text that names the error."""
    try:
        return repr(value)
    except Exception as error:
        return f"<{name_of(type(value))} object; its __repr__ raised {_named(error)}>"


def _named(error: Exception) -> str:
    name = name_of(type(error))
    try:
        return f"{name}: {error}"
    except Exception:
        return name


def bundle(value: object) -> Bundle:
    """`(data, metadata)`. Runs user code; an Exception in it is contained."""
    data: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    # Classes have the methods unbound, and most values are of types that have none.
    if not isinstance(value, type) and type(value).__module__ != "builtins":
        _rich(value, data, metadata)
    if not isinstance(data.get("text/plain"), str):
        data["text/plain"] = safe_repr(value)
    return carried(data), carried(metadata)


def carried(bundle: dict[Any, Any]) -> dict[str, Any]:
    """The bundle with text keys all the way down, as both codecs need; most hold only text and pass as they are."""
    if all(type(key) is str and type(value) is str for key, value in bundle.items()):
        return bundle
    made = clean(bundle)
    assert isinstance(made, dict)
    return made


def _rich(value: object, data: dict[str, Any], metadata: dict[str, Any]) -> None:
    made = _call(value, "_repr_mimebundle_", include=None, exclude=None)
    if made is not None:
        _add(made, None, data, metadata)
    for method, kind in METHODS.items():
        if kind not in data:
            made = _call(value, method)
            if made is not None:
                _add(made, kind, data, metadata)
    figure = sys.modules.get("matplotlib.figure")
    if figure is not None and "image/png" not in data and isinstance(value, figure.Figure):
        image = io.BytesIO()
        value.savefig(image, format="png", bbox_inches="tight")
        data["image/png"] = image.getvalue()


def _call(value: object, method: str, **arguments: object) -> Any:
    # Looked up on the class: an object whose __getattr__ makes up everything has no representation.
    if not hasattr(type(value), method):
        return None
    try:
        return getattr(value, method)(**arguments)
    except NotImplementedError:
        return None
    except Exception as error:
        sys.stderr.write(f"{name_of(type(value))}.{method} raised {_named(error)}\n")
        return None


def _add(made: Any, kind: str | None, data: dict[str, Any], metadata: dict[str, Any]) -> None:
    """Take over `made`, a value or a pair (value, metadata), as `kind` or, without one, as a whole bundle."""
    extra: Any = None
    if isinstance(made, tuple) and len(made) == 2:
        made, extra = made
    if kind is not None:
        data[kind] = made
        if isinstance(extra, dict):
            metadata[kind] = extra
    elif isinstance(made, dict):
        data.update({str(key): item for key, item in made.items() if item is not None})
        if isinstance(extra, dict):
            metadata.update(extra)
