"""Doctests as what they are, transcripts of an interactive Python: every example is an execution of a session."""

import doctest
from pathlib import Path
from typing import Any

from agent import Launcher, Run
from foreign.compare import Outcomes
from foreign.worker_session import WorkerSession

# What doctest gives its examples: a copy of all that the module knows.
OPEN = """\
import importlib as _importlib
_names = dict(vars(_importlib.import_module({module!r})))
for _name in ("__builtins__", "__loader__", "__spec__"):
    _names.pop(_name, None)
globals().update(_names)
del _names, _importlib, _name
"""
SECONDS = 30.0


def run_as_cells(
    launcher: Launcher, module: str, tests: list[dict[str, Any]], folder: Path
) -> tuple[Outcomes, dict[str, str]]:
    """Each of the tests (see `transcripts` of outcomes.py) in a fresh session, example by example.

    Returns the outcomes, and what came in place of what the transcript has.
    """
    outcomes: Outcomes = {}
    texts: dict[str, str] = {}
    for test in tests:
        session = WorkerSession(launcher, folder)
        try:
            assert session.run(OPEN.format(module=module), SECONDS).status == "ok"
            for example in test["examples"]:
                if example["skip"]:
                    continue
                name = example["name"]
                run = session.run(example["source"], SECONDS)
                outcomes[name] = _outcome(run, example)
                if outcomes[name] != "passed":
                    texts[name] = f">>> {example['source']}wanted {example['want']!r}, got {_shown(run)!r}"
        finally:
            session.delete()
    return outcomes, texts


def _outcome(run: Run, example: dict[str, Any]) -> str:
    errors = [frame["error"] for frame in run.frames if frame["type"] == "error"]
    check = doctest.OutputChecker().check_output
    if not errors:
        return "passed" if check(example["want"], _shown(run), example["flags"]) else "failed"
    # doctest compares the last line alone, and the detail not where it is told so.
    if example["exception"] is None:
        return f"raised {errors[0]['name']}"
    got = errors[0]["traceback"][-1]
    wanted = example["exception"]
    if example["ignores_detail"]:
        got, wanted = (text.partition("\n")[0].partition(":")[0].rpartition(".")[2] for text in (got, wanted))
    return "passed" if check(wanted, got, example["flags"]) else "failed"


def _shown(run: Run) -> str:
    """What a client shows: what was written, then the result or the error."""
    shown = run.out.decode()
    for frame in run.frames:
        if frame["type"] == "result":
            shown += frame["data"]["text/plain"] + "\n"
        elif frame["type"] == "error":
            shown += "".join(frame["error"]["traceback"])
    # As doctest ends a line that the code left open.
    return shown if shown.endswith("\n") or not shown else shown + "\n"
