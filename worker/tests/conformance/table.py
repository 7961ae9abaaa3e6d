"""All chapters, and the page of the documentation that lists what they hold."""

import importlib
from pathlib import Path

from .case import Case, Chapter

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[2] / "docs" / "conformance.md"
HEAD = """# What a session promises

<!-- Generated from worker/tests/conformance by `npm run generate:conformance`. Do not edit. -->

Each line is a behaviour that a test holds in a real worker process. Where the measure is Python, a plain interpreter of
the same version runs the same code too, and output and tracebacks are equal to the byte.
"""


def chapters() -> list[Chapter]:
    """Every file of `chapters/`, by name."""
    names = sorted(path.stem for path in (HERE / "chapters").glob("*.py") if path.stem != "__init__")
    found: list[Chapter] = []
    for name in names:
        chapter = importlib.import_module(f"conformance.chapters.{name}").chapter
        assert isinstance(chapter, Chapter)
        found.append(chapter)
    return found


def _versions(case: Case) -> str:
    parts = []
    if case.since > (3, 10):
        parts.append(f"from {case.since[0]}.{case.since[1]}")
    if case.before is not None:
        parts.append(f"before {case.before[0]}.{case.before[1]}")
    return ", ".join(parts)


def page() -> str:
    """The page as Markdown."""
    text = HEAD
    for chapter in chapters():
        text += f"\n## {chapter.title}\n\n| behaviour | measure | versions |\n|---|---|---|\n"
        for case in chapter.cases:
            title = case.title.replace("|", "\\|")
            text += f"| {title} | {'Python' if case.plain else ''} | {_versions(case)} |\n"
    return text
