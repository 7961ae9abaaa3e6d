"""Every case of every chapter, in a fresh worker; and the page of the documentation that lists them."""

import inspect
import sys
from pathlib import Path
from typing import Any

import pytest

from agent import Launcher, Run, Worker
from conformance import plain
from conformance.case import Case
from conformance.table import PAGE, chapters, page

CASES = [case for chapter in chapters() for case in chapter.cases]


@pytest.mark.parametrize("case", CASES, ids=[f"{case.chapter}: {case.title}" for case in CASES])
def test_behaviour(launcher: Launcher, case: Case, tmp_path: Path) -> None:
    if sys.version_info < case.since or (case.before is not None and sys.version_info >= case.before):
        pytest.skip("not of this version of Python")
    worker = launcher.fork()
    (folder := tmp_path / "session").mkdir()
    try:
        worker.send("open", session="s", cwd=str(folder), env={}, fileDescriptors=0)
        assert "error" not in worker.expect("opened")
        if case.act is not None:
            act: Any = case.act
            act(*(worker, launcher)[: len(inspect.signature(act).parameters)])
            return
        if case.ends is not None:
            _expect_end(launcher, worker, case)
            return
        runs = [worker.run(code) for code in case.codes]
        _expect(runs, case)
        if case.plain:
            _expect_as_plain(runs, case, tmp_path)
    finally:
        launcher.kill(worker)
        worker.close()


def test_the_page_of_the_documentation_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "run: npm run generate:conformance"


def _errors(run: Run) -> list[dict[str, Any]]:
    return [frame["error"] for frame in run.frames if frame["type"] == "error"]


def _written(runs: list[Run]) -> tuple[str, str]:
    return b"".join(run.out for run in runs).decode(), b"".join(run.err for run in runs).decode()


def _expect(runs: list[Run], case: Case) -> None:
    last = runs[-1]
    for run in runs if case.error is None and case.message is None and not case.traceback else runs[:-1]:
        if not case.plain:
            assert run.status == "ok", run.traceback
    if case.result is not None:
        assert last.status == "ok", last.traceback
        assert last.text == case.result
    if case.error is not None:
        assert last.error["name"] == case.error, last.traceback
    if case.message is not None:
        assert last.error["message"] == case.message
    if case.traceback:
        at = 0
        for part in case.traceback:
            assert part in last.traceback[at:], last.traceback
            at = last.traceback.index(part, at) + len(part)
    for run in runs:
        assert not any("replpool_worker" in line for error in _errors(run) for line in error["traceback"])
    out, err = _written(runs)
    assert case.out is None or out == case.out
    assert case.err is None or err == case.err


def _expect_as_plain(runs: list[Run], case: Case, tmp_path: Path) -> None:
    (folder := tmp_path / "plain").mkdir()
    measure = plain.run(case.codes, folder)
    assert measure.out or measure.err, "a plain interpreter says nothing, so there is nothing to compare"
    assert _written(runs)[0] == measure.out
    seen = "".join(run.err.decode() + "".join("".join(error["traceback"]) for error in _errors(run)) for run in runs)
    assert seen.replace(f"{tmp_path / 'session'}/", "") == measure.err


def _expect_end(launcher: Launcher, worker: Worker, case: Case) -> None:
    for code in case.codes[:-1]:
        assert worker.run(code).status == "ok"
    worker.start(case.codes[-1])
    exited = launcher.expect("exited", pid=worker.pid)
    assert (exited.get("code") if exited.get("signal") is None else exited["signal"]) == case.ends
