"""Runs a tutorial cell by cell under a plain `python3`, as a notebook would; tells what a client has to be shown."""

import ast
import contextlib
import io
import sys
from typing import Any


def png_size(data: bytes) -> list[int]:
    """Width and height in pixels, from the header of a PNG."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    return [int.from_bytes(data[at : at + 4], "big") for at in (16, 20)]


def run_cells(cells: list[str]) -> list[dict[str, Any]]:
    """Of each cell: `out`, `text` and `html` of its last expression, sizes of the `images` of its open figures."""
    names: dict[str, Any] = sys.modules["__main__"].__dict__
    return [run_cell(cell, names) for cell in cells]


def run_cell(cell: str, names: dict[str, Any]) -> dict[str, Any]:
    """One cell in `names`."""
    tree = ast.parse(cell)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    value: Any = None
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(tree, "<cell>", "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), names)
    html = value._repr_html_() if hasattr(value, "_repr_html_") else None
    return {
        "out": out.getvalue(),
        "text": None if value is None else repr(value),
        "html": html,
        "images": [png_size(image) for image in images()],
    }


def images() -> list[bytes]:
    """The open figures, which are closed then."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is None:
        return []
    made = []
    for number in pyplot.get_fignums():
        image = io.BytesIO()
        pyplot.figure(number).savefig(image, format="png", bbox_inches="tight")
        made.append(image.getvalue())
    pyplot.close("all")
    return made
