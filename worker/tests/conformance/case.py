"""What one case of the suite says, and the chapters that hold them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from agent import Launcher, Worker

Act = Callable[[Worker], None] | Callable[[Worker, Launcher], None]
F = TypeVar("F", bound=Act)
Version = tuple[int, int]


@dataclass(frozen=True)
class Case:
    """Codes that run one after the other in a fresh worker, and what must come of them; None is not looked at."""

    chapter: str
    title: str
    codes: tuple[str, ...] = ()
    # Of the last execution: text/plain of its result, and its error.
    result: str | None = None
    error: str | None = None
    message: str | None = None
    # Texts that stand in its traceback in this order.
    traceback: tuple[str, ...] = ()
    # What all executions wrote, together.
    out: str | None = None
    err: str | None = None
    # The worker ends with this exit code or by this signal.
    ends: int | str | None = None
    # Plain Python writes the same output and the same tracebacks: `python FILE`, for several codes an
    # InteractiveInterpreter, which goes on after an error.
    plain: bool = False
    # The versions of Python that have it, `before` exclusive.
    since: Version = (3, 10)
    before: Version | None = None
    act: Act | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for a case that cannot fail."""
        expectations = (self.result, self.error, self.message, self.out, self.err, self.ends, self.act)
        if not self.plain and not self.traceback and all(one is None for one in expectations):
            raise ValueError(f"the case {self.title!r} expects nothing")


class Chapter:
    """One chapter: its title, and its cases in their order."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.cases: list[Case] = []

    def case(
        self,
        title: str,
        *codes: str,
        result: str | None = None,
        error: str | None = None,
        message: str | None = None,
        traceback: tuple[str, ...] = (),
        out: str | None = None,
        err: str | None = None,
        ends: int | str | None = None,
        plain: bool = False,
        since: Version = (3, 10),
        before: Version | None = None,
    ) -> None:
        """Add a case; see `Case` for what the expectations mean. All codes but the last end well, unless `plain`."""
        self._add(
            Case(self.title, title, codes, result, error, message, traceback, out, err, ends, plain, since, before)
        )

    def behaviour(self, title: str, *, since: Version = (3, 10), before: Version | None = None) -> Callable[[F], F]:
        """Add a case whose function gets a fresh worker, and the launcher where it takes two, and asserts."""

        def add(function: F) -> F:
            self._add(Case(self.title, title, since=since, before=before, act=function))
            return function

        return add

    def _add(self, case: Case) -> None:
        if any(case.title == other.title for other in self.cases):
            raise ValueError(f"two cases of {self.title} are called {case.title!r}")
        self.cases.append(case)
