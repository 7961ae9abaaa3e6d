"""Runs tests that others wrote and tells what came of each: `{name of the test: outcome}`.

The text of this file is what runs, as a script under a plain `python3` and as an execution in a session; it knows
nothing of either. Outcomes: `passed`, `failed`, `skipped: WHY` and the like, without addresses and paths.
"""

import doctest
import importlib
import importlib.util
import io
import os
import unittest
from collections.abc import Iterator
from types import ModuleType
from typing import Any

Outcomes = dict[str, str]


def doctests_of(module: ModuleType) -> list[doctest.DocTest]:
    """The module's doctests, without what a class has from another module; by name."""
    return sorted((test for test in doctest.DocTestFinder(recurse=True).find(module) if test.examples), key=by_name)


def by_name(test: doctest.DocTest) -> str:
    """Sorts doctests."""
    return test.name


def names_of(test: doctest.DocTest) -> list[str]:
    """The examples' names, by their code: their places differ from version to version."""
    names: list[str] = []
    for example in test.examples:
        code = " ".join(example.source.split())
        name = f"{test.name}: {code if len(code) < 80 else code[:80] + '…'}"
        again = sum(other.partition(" (again ")[0] == name for other in names)
        names.append(f"{name} (again {again})" if again else name)
    return names


class ExampleRunner(doctest.DocTestRunner):
    """Notes the outcome of every single example."""

    def __init__(self) -> None:
        super().__init__(verbose=False)
        self.outcomes: Outcomes = {}

    def note(self, test: doctest.DocTest, example: doctest.Example, outcome: str) -> None:
        """One example's outcome."""
        self.outcomes[names_of(test)[test.examples.index(example)]] = outcome

    def report_success(self, out: Any, test: doctest.DocTest, example: doctest.Example, got: str) -> None:
        """Called by doctest."""
        self.note(test, example, "passed")

    def report_failure(self, out: Any, test: doctest.DocTest, example: doctest.Example, got: str) -> None:
        """Called by doctest."""
        self.note(test, example, "failed")

    def report_unexpected_exception(
        self, out: Any, test: doctest.DocTest, example: doctest.Example, exc_info: Any
    ) -> None:
        """Called by doctest."""
        self.note(test, example, f"raised {exc_info[0].__name__}")


def run_doctests(name: str) -> Outcomes:
    """Every example of a module's doctests."""
    runner = ExampleRunner()
    for test in doctests_of(importlib.import_module(name)):
        runner.run(test, out=io.StringIO().write)
    return runner.outcomes


def transcripts(name: str) -> list[dict[str, Any]]:
    """Every example of a module's doctests, for who runs them otherwise."""
    return [
        {"name": test.name, "examples": list(map(transcript, names_of(test), test.examples))}
        for test in doctests_of(importlib.import_module(name))
    ]


def transcript(name: str, example: doctest.Example) -> dict[str, Any]:
    """What to enter and what must come of it; `flags` are those of OutputChecker."""
    flags = sum(flag for flag, is_on in example.options.items() if is_on)
    return {
        "name": name,
        "source": example.source,
        "want": example.want,
        "exception": example.exc_msg,
        "flags": flags,
        "skip": bool(flags & doctest.SKIP),
        "ignores_detail": bool(flags & doctest.IGNORE_EXCEPTION_DETAIL),
    }


class NotingResult(unittest.TestResult):
    """Notes the outcome of every test, and of every subtest that does not pass."""

    def __init__(self) -> None:
        super().__init__()
        self.outcomes: Outcomes = {}
        self.texts: dict[str, str] = {}

    def note(self, test: Any, outcome: str, text: str = "") -> None:
        """One test's outcome; the worst counts, for a test may fail and its tear-down raise."""
        name = test.id()
        if self.outcomes.get(name, "passed") == "passed":
            self.outcomes[name] = outcome
        if text:
            self.texts[name] = self.texts.get(name, "") + text

    def addSuccess(self, test: Any) -> None:
        """Called by unittest."""
        self.note(test, "passed")

    def addFailure(self, test: Any, err: Any) -> None:
        """Called by unittest."""
        super().addFailure(test, err)
        self.note(test, "failed", self.failures[-1][1])

    def addError(self, test: Any, err: Any) -> None:
        """Called by unittest."""
        super().addError(test, err)
        self.note(test, "failed", self.errors[-1][1])

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        """Called by unittest."""
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.note(test, "failed", f"{subtest.id()}: {err[1]!r}\n")

    def addSkip(self, test: Any, reason: str) -> None:
        """Called by unittest."""
        self.note(test, f"skipped: {reason}")

    def addExpectedFailure(self, test: Any, err: Any) -> None:
        """Called by unittest."""
        self.note(test, "expected failure")

    def addUnexpectedSuccess(self, test: Any) -> None:
        """Called by unittest."""
        super().addUnexpectedSuccess(test)
        self.note(test, "unexpected success")


def flat(suite: Any) -> Iterator[Any]:
    """The tests in a suite of suites."""
    for entry in suite:
        if isinstance(entry, unittest.TestSuite):
            yield from flat(entry)
        else:
            yield entry


def missing(name: str) -> str | None:
    """Why there is no such module; None where there is one. To find it imports its parents alone."""
    try:
        return None if importlib.util.find_spec(name) else f"no module named {name!r}"
    except ModuleNotFoundError as error:
        return str(error)


def contain_interrupt(test: Any) -> None:
    """A KeyboardInterrupt that a test of interrupts lets out fails that test, and does not end the run."""
    call = getattr(test, "_callTestMethod", None)
    if call is None:
        return

    def contained(method: Any) -> Any:
        try:
            return call(method)
        except KeyboardInterrupt as error:
            raise AssertionError("KeyboardInterrupt") from error

    test._callTestMethod = contained


def run_unittests(name: str, only: list[str] | None = None, endless: list[str] | None = None) -> dict[str, Any]:
    """A module of CPython's `test` package; `only` these tests of it. Resources as `python -m test` has them: none.

    `{outcomes, texts}`. The tests whose names end with one of `endless` are not run, and said not to end.
    """
    support = importlib.import_module("test.support")
    vars(support).update(use_resources=[], verbose=0)
    suite = unittest.defaultTestLoader.loadTestsFromName(name)
    if only is not None:
        suite = unittest.TestSuite(test for test in flat(suite) if test.id() in only)
    left_out = [test for test in flat(suite) if test.id().endswith(tuple(endless or ()))]
    if left_out:
        suite = unittest.TestSuite(test for test in flat(suite) if test not in left_out)
    for test in flat(suite):
        contain_interrupt(test)
    result = NotingResult()
    suite.run(result)
    result.outcomes.update({test.id(): "does not end" for test in left_out})
    return {"outcomes": result.outcomes, "texts": result.texts}


def node(identity: str) -> str:
    """A pytest node id without the folder that the package lies in."""
    return identity.rpartition("site-packages/")[2]


def run_pytest(name: str, only: list[str] | None = None) -> dict[str, Any]:
    """A module of a package's own pytest suite, inside this process; `only` these node ids. `{outcomes, texts}`."""
    pytest: Any = importlib.import_module("pytest")
    outcomes: Outcomes = {}
    texts: dict[str, str] = {}

    class Notes:
        def pytest_collection_modifyitems(self, items: list[Any]) -> None:
            if only is not None:
                items[:] = [item for item in items if node(item.nodeid) in only]

        def pytest_runtest_logreport(self, report: Any) -> None:
            name = node(report.nodeid)
            if report.when != "call" and report.outcome == "passed":
                return
            outcome = f"x{report.outcome}" if hasattr(report, "wasxfail") else report.outcome
            if report.when == "call" or outcome != "passed":
                outcomes[name] = outcome
            if report.outcome == "failed":
                texts[name] = report.longreprtext

    options = ["-q", "-c", os.devnull, "--rootdir", ".", "-p", "no:cacheprovider", "--pyargs", name]
    pytest.main(options, plugins=[Notes()])
    return {"outcomes": outcomes, "texts": texts}
