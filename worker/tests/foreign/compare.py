"""What came of the same tests on the two sides, and which differences are known."""

import re
import sys
from dataclasses import dataclass

Outcomes = dict[str, str]
Version = tuple[int, int]
ABSENT = "absent"
# What is known so is not run in a session.
ENDLESS = "does not end"


@dataclass(frozen=True)
class Known:
    """Tests of one module that end otherwise in a session than under a plain `python3`, and why.

    A `*` in the name of a test stands for any text; all the tests that it then names differ.
    """

    module: str
    tests: tuple[str, ...]
    plain: str
    session: str
    reason: str
    # The versions of Python of which that holds, `before` exclusive.
    since: Version = (3, 10)
    before: Version | None = None

    @property
    def applies(self) -> bool:
        """Whether this Python is one of them."""
        return sys.version_info >= self.since and (self.before is None or sys.version_info < self.before)

    def named(self, tests: set[str]) -> set[str]:
        """Those of `tests` that it names, and its own names of which there is none."""
        found: set[str] = set()
        for name in self.tests:
            pattern = re.compile(".*".join(map(re.escape, name.split("*"))), re.DOTALL)
            found |= {test for test in tests if pattern.fullmatch(test)} or {name}
        return found


def listed(module: str, tests: set[str], known: tuple[Known, ...]) -> dict[str, tuple[str, str]]:
    """`{test: (plain, session)}` of what is known of the module's tests."""
    entries = [entry for entry in known if entry.module == module and entry.applies]
    return {test: (entry.plain, entry.session) for entry in entries for test in entry.named(tests)}


def endless(module: str, known: tuple[Known, ...]) -> list[str]:
    """How the names end of the module's tests that a session is spared."""
    entries = [entry for entry in known if entry.module == module and entry.applies and entry.session == ENDLESS]
    return [name.rpartition("*")[2] for entry in entries for name in entry.tests]


def differing(plain: Outcomes, session: Outcomes) -> dict[str, tuple[str, str]]:
    """`{test: (plain, session)}` of those whose outcomes are not the same."""
    pairs = {test: (plain.get(test, ABSENT), session.get(test, ABSENT)) for test in sorted({*plain, *session})}
    return {test: pair for test, pair in pairs.items() if pair[0] != pair[1]}


def unexplained(module: str, plain: Outcomes, session: Outcomes, known: tuple[Known, ...]) -> list[str]:
    """A line for every difference that is not listed, and for every listed one that is not there."""
    seen = differing(plain, session)
    expected = listed(module, {*plain, *session}, known)
    lines = [
        f"{test}: {pair[0]} in plain Python, {pair[1]} in a session"
        + (", listed otherwise" if test in expected else "")
        for test, pair in seen.items()
        if expected.get(test) != pair
    ]
    return lines + [f"{test}: listed as a difference, and there is none" for test in expected if test not in seen]
