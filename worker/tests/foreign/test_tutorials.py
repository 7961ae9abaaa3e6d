"""Tutorials of matplotlib and pandas, a cell an execution: what arrives is what plain Python makes of the cells."""

import base64
import re
from pathlib import Path
from typing import Any

import pytest

from foreign.plain import run_plain
from foreign.service import Service, ServiceSession
from foreign.tutorial import png_size

pytestmark = pytest.mark.foreign

HERE = Path(__file__).parent
PLAIN = (HERE / "tutorial.py").read_text()
SECONDS = 120.0


@pytest.mark.parametrize("name", ["quick_start", "pyplot", "lifecycle", "pandas"])
def test_tutorial(service: Service, name: str, tmp_path: Path) -> None:
    _, *cells = (HERE / "tutorials" / f"{name}.txt").read_text().split("# %%\n")
    session = ServiceSession(service)
    try:
        shown = [_shown(session.run(cell, SECONDS)) for cell in cells]
        made = run_plain(PLAIN, f"run_cells({cells!r})", tmp_path, SECONDS, session.plain)
    finally:
        session.delete()
    assert any(cell["images"] for cell in made)
    for source, inside, plain in zip(cells, shown, made, strict=True):
        assert inside == _comparable(plain), source


def _shown(outcome: dict[str, Any]) -> dict[str, Any]:
    assert outcome["status"] == "ok", outcome
    result = outcome.get("result") or {"data": {}}
    bundles = [shown["data"] for shown in [*outcome["displays"], result]]
    images = [base64.b64decode(data["image/png"]) for data in bundles if "image/png" in data]
    data = result["data"]
    return _comparable(
        {
            "out": outcome["stdout"],
            "text": data.get("text/plain"),
            "html": data.get("text/html"),
            "images": [png_size(image) for image in images],
        }
    )


def _comparable(cell: dict[str, Any]) -> dict[str, Any]:
    """Without addresses, and without the ids that matplotlib draws by chance for each piece of HTML."""
    text, html = cell["text"], cell["html"]
    return cell | {
        "text": text and re.sub(r"0x[0-9a-f]+", "0x", text),
        "html": html and re.sub(r"[0-9a-f]{32}", "ID", html),
    }
