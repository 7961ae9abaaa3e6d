"""A value as a MIME bundle: text/plain always, and what its `_repr_*_` methods or matplotlib give."""

import builtins
import contextlib
import functools
import json
import sys
import types
from collections.abc import Callable, Collection
from typing import Any

from . import figures
from .frames import clean
from .tracebacks import describe, name_of

# What each method answers as, and the types that it may answer with (IPython's formatters ask for the same).
METHODS: dict[str, tuple[str, tuple[type, ...]]] = {
    "_repr_html_": ("text/html", (str,)),
    "_repr_markdown_": ("text/markdown", (str,)),
    "_repr_latex_": ("text/latex", (str,)),
    "_repr_svg_": ("image/svg+xml", (str,)),
    "_repr_png_": ("image/png", (bytes, str)),
    "_repr_jpeg_": ("image/jpeg", (bytes, str)),
    "_repr_pdf_": ("application/pdf", (bytes, str)),
    "_repr_json_": ("application/json", (dict, list, str)),
    "_repr_javascript_": ("application/javascript", (str,)),
}
# Whoever has this makes up an answer to every name: mocks, proxies of remote objects.
CANARY = "_ipython_canary_method_should_not_exist_"
# A text/plain longer than this is of no use to a reader and would fill a session's log alone: so much is kept of it.
TEXT_CHARACTERS = 8 << 20
KEPT_CHARACTERS = 1 << 20
# Told by identity: equality and hashing of a class are its metaclass's, which may be the user's.
PLAIN = frozenset(
    id(kind) for kind in (*vars(builtins).values(), type(None)) if type(kind) is type and kind is not type
)
Bundle = tuple[dict[str, Any], dict[str, Any]]
Kinds = Collection[str] | None


def safe_repr(value: object) -> str:
    """repr(value); where that raises, a text that names the error, whose traceback goes to stderr."""
    kind = type(value)
    if (type(value) is str or type(value) is bytes or type(value) is bytearray) and len(value) > TEXT_CHARACTERS:
        # The whole one would take its memory once more, to be cut then.
        value = value[: TEXT_CHARACTERS + 1]
    try:
        return repr(value)
    except Exception as error:
        report(f"{name_of(kind)}.__repr__", error)
        return f"<{name_of(kind)} object; its __repr__ raised {_named(error)}>"


def _named(error: Exception) -> str:
    name = name_of(type(error))
    try:
        return f"{name}: {error}"
    except Exception:
        return name


def report(what: str, error: Exception) -> None:
    """Tell on stderr of an error that was contained: representations are code of the user's, who wants to mend it."""
    # sys.stderr may be anything by now.
    with contextlib.suppress(Exception):
        sys.stderr.write(f"{what} raised {_named(error)}\n{''.join(describe(error)['traceback'])}")


def bundle(value: object, include: Kinds = None, exclude: Kinds = None) -> Bundle:
    """`(data, metadata)`, of the kinds in `include` if there are any and not in `exclude`.

    Runs user code; an Exception in one representation is told on stderr and keeps the others.
    """
    representations = _Representations(value, include, exclude)
    if id(type(value)) not in PLAIN and not _answers_all(value):
        representations.collect()
    if representations.wants("text/plain") and not isinstance(representations.data.get("text/plain"), str):
        representations.data["text/plain"] = safe_repr(value)
    return carried(representations.data), carried(representations.metadata)


def takes_over(value: object) -> bool:
    """Whether the value displayed itself, by its `_ipython_display_`. Runs user code.

    A value with a `_repr_mimebundle_` is not asked to: the one of plotly wants a notebook's front end, its bundle not.
    """
    if id(type(value)) in PLAIN or _answers_all(value) or _method(value, "_repr_mimebundle_") is not None:
        return False
    method = _method(value, "_ipython_display_")

    def show() -> bool:
        method()
        return True

    return method is not None and _call(value, "_ipython_display_", show) is True


def carried(bundle: dict[Any, Any]) -> dict[str, Any]:
    """The bundle with text keys all the way down, as both codecs need; most hold only text and pass as they are."""
    if all(type(key) is str and type(value) is str for key, value in bundle.items()):
        return bundle
    made = clean(bundle)
    assert isinstance(made, dict)
    return made


def cut(data: dict[str, Any]) -> str | None:
    """Cut a huge text/plain in place. Returns what to warn of."""
    text = data.get("text/plain")
    if type(text) is not str or len(text) <= TEXT_CHARACTERS:
        return None
    data["text/plain"] = text[:KEPT_CHARACTERS] + "…"
    return f"a text/plain of more than {TEXT_CHARACTERS} characters is cut to its first {KEPT_CHARACTERS}"


def _answers_all(value: object) -> bool:
    try:
        return getattr(value, CANARY, None) is not None
    except Exception:
        return False


def _method(value: object, name: str) -> Any:
    """The method as IPython finds it: an instance's own or a delegated one counts, a class's unbound one does not."""
    try:
        found = getattr(value, name, None)
    except Exception:
        return None
    if not callable(found):
        return None
    if issubclass(type(value), type) and type(found) is not types.MethodType:
        return None
    return found


def _call(value: object, name: str, method: Callable[[], Any]) -> Any:
    try:
        return method()
    except NotImplementedError:
        return None
    except Exception as error:
        report(f"{name_of(type(value))}.{name}", error)
        return None


class _Representations:
    """What is collected of one value."""

    def __init__(self, value: object, include: Kinds, exclude: Kinds) -> None:
        self.data: dict[str, Any] = {}
        self.metadata: dict[str, Any] = {}
        self._value = value
        self._include = include
        self._exclude = exclude

    def wants(self, kind: str) -> bool:
        """Whether this kind may be in the bundle."""
        return (not self._include or kind in self._include) and (not self._exclude or kind not in self._exclude)

    def collect(self) -> None:
        """Ask the value's methods, `_repr_mimebundle_` first, and matplotlib."""
        method = _method(self._value, "_repr_mimebundle_")
        if method is not None:
            ask = functools.partial(method, include=self._include, exclude=self._exclude)
            self._add_all(_call(self._value, "_repr_mimebundle_", ask))
        for name, (kind, expected) in METHODS.items():
            if kind not in self.data and self.wants(kind):
                method = _method(self._value, name)
                made = None if method is None else _call(self._value, name, method)
                if made is not None:
                    self._add(made, name, kind, expected)
        if "image/png" not in self.data and self.wants("image/png") and figures.is_figure(self._value):
            image = _call(self._value, "savefig", functools.partial(figures.png, self._value))
            if image is not None:
                self.data["image/png"] = image

    def _add_all(self, made: Any) -> None:
        """Take over what `_repr_mimebundle_` answered: data, or (data, metadata)."""
        if isinstance(made, tuple) and len(made) == 2:
            made, extra = made
            if isinstance(extra, dict):
                self.metadata.update(extra)
        if isinstance(made, dict):
            self.data.update({str(kind): item for kind, item in made.items() if item is not None and self.wants(kind)})

    def _add(self, made: Any, name: str, kind: str, expected: tuple[type, ...]) -> None:
        """Take over what one method answered: a value, or (value, metadata)."""
        extra: Any = None
        if isinstance(made, tuple) and len(made) == 2:
            made, extra = made
        if kind == "application/json" and isinstance(made, str):
            # As the first notebooks had it: the JSON's text.
            with contextlib.suppress(ValueError):
                made = json.loads(made)
        elif not isinstance(made, expected):
            names = " or ".join(one.__name__ for one in expected)
            with contextlib.suppress(Exception):
                kinds = name_of(type(self._value)), name_of(type(made))
                sys.stderr.write(f"{kinds[0]}.{name} returned {kinds[1]} where {names} is expected\n")
            return
        self.data[kind] = made
        if isinstance(extra, dict):
            self.metadata[kind] = extra
