"""Completions and documentation out of the live namespace, by jedi."""

import os
from typing import Any

MATCHES = 500


def _position(code: str, cursor: int) -> tuple[int, int]:
    """Cursor in code points to line (from 1) and column (from 0)."""
    from parso.utils import split_lines

    # As jedi itself splits: a lone carriage return ends a line too.
    lines = split_lines(code[: max(0, min(cursor, len(code)))])
    return len(lines), len(lines[-1])


def _interpreter(code: str, names: dict[str, Any]) -> Any:
    import jedi

    try:
        folder = os.getcwd()
    except OSError:
        # The code removed the folder that it stands in.
        folder = "/"
    interpreter = jedi.Interpreter(code, [names], project=jedi.Project(folder))
    # Descriptors are user code, and this runs beside the session's own thread.
    interpreter._inference_state.allow_unsafe_executions = False
    return interpreter


def complete(code: str, cursor: int, names: dict[str, Any]) -> dict[str, Any]:
    """`{matches, cursorStart, cursorEnd}`: what the text between the two may be replaced by."""
    line, column = _position(code, cursor)
    cursor = max(0, min(cursor, len(code)))
    completions = _interpreter(code, names).complete(line, column)[:MATCHES]
    length = completions[0].get_completion_prefix_length() if completions else 0
    return {"matches": [one.name for one in completions], "cursorStart": cursor - length, "cursorEnd": cursor}


def inspect(code: str, cursor: int, names: dict[str, Any]) -> dict[str, Any]:
    """`{found, data}`: signature and docstring of the name at the cursor, or of the call around it."""
    line, column = _position(code, cursor)
    interpreter = _interpreter(code, names)
    found = interpreter.help(line, column)
    if not found:
        found = interpreter.get_signatures(line, column)
    text = next((made for made in (one.docstring() for one in found) if made), "")
    return {"found": bool(text), "data": {"text/plain": text} if text else {}}
