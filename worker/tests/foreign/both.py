"""The same call on both sides at once: in a session of the service, and under its interpreter alone."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from foreign.compare import Known, differing, endless, listed, unexplained
from foreign.known_differences import KNOWN
from foreign.plain import run_plain
from foreign.service import Service, ServiceSession

OUTCOMES = Path(__file__).with_name("outcomes.py").read_text()
SECONDS = 240.0
# What differs is run again, alone: a test that a busy machine fails is no difference.
AGAIN = 2


def run_both(service: Service, call: str, folder: Path, spared: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the call of outcomes.py, without its closing bracket, gives: (plain, session), there without `spared`."""
    folder.mkdir()
    session = ServiceSession(service)
    with ThreadPoolExecutor(1) as pool:
        plain = pool.submit(run_plain, OUTCOMES, f"{call})", folder, SECONDS, session.plain)
        try:
            inside = session.value(OUTCOMES, f"{call}, endless={spared!r})" if spared else f"{call})", SECONDS)
        finally:
            session.delete()
        return plain.result(), inside


def missing(service: Service, module: str) -> str | None:
    """Why the interpreter does not have the module; None where it has it."""
    session = ServiceSession(service)
    try:
        why: str | None = session.value(OUTCOMES, f"missing({module!r})", SECONDS)
    finally:
        session.delete()
    return why


def assert_same(service: Service, module: str, call: str, folder: Path, known: tuple[Known, ...] = KNOWN) -> None:
    """Run all, then what differs unlisted once more by `call(only)`. Raises AssertionError with every difference."""
    spared = endless(module, known)
    plain, inside = run_both(service, f"{call}({module!r}", folder / "0", spared)
    assert plain["outcomes"], f"{module} has no tests"
    for attempt in range(1, AGAIN + 1):
        expected = listed(module, {*plain["outcomes"], *inside["outcomes"]}, known)
        seen = [test for test in differing(plain["outcomes"], inside["outcomes"]) if test not in expected]
        if not seen:
            break
        again = run_both(service, f"{call}({module!r}, {seen!r}", folder / f"{attempt}", spared)
        for side, result in zip((plain, inside), again, strict=True):
            side["outcomes"].update(result["outcomes"])
            side["texts"].update(result["texts"])
    lines = unexplained(module, plain["outcomes"], inside["outcomes"], known)
    texts = [text[-3000:] for test, text in inside["texts"].items() if any(line.startswith(test) for line in lines)]
    assert not lines, "\n".join([*lines, *texts])


def assert_same_where_shipped(service: Service, module: str, call: str, folder: Path, without: str) -> None:
    """`assert_same`; skipped where the interpreter does not have the module, saying that `without` does not ship it."""
    why = missing(service, module)
    if why is not None:
        pytest.skip(f"{module}: {without} does not ship it: {why}")
    assert_same(service, module, call, folder)
