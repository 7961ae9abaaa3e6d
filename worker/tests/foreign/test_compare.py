"""What counts as a difference between the two sides."""

from foreign.compare import Known, unexplained

KNOWN = (Known("m", ("m.b",), plain="passed", session="failed", reason="r"),)
PLAIN = {"m.a": "passed", "m.b": "passed"}


def test_what_is_listed_is_explained() -> None:
    assert unexplained("m", PLAIN, {"m.a": "passed", "m.b": "failed"}, KNOWN) == []


def test_what_is_not_listed_is_not() -> None:
    (line,) = unexplained("m", PLAIN, {"m.a": "skipped: x", "m.b": "failed"}, KNOWN)
    assert line.startswith("m.a: passed in plain Python, skipped: x in a session")


def test_a_test_that_one_side_does_not_have_differs() -> None:
    (line,) = unexplained("m", PLAIN, {"m.b": "failed"}, KNOWN)
    assert line.startswith("m.a: passed in plain Python, absent in a session")


def test_what_is_listed_and_gone_is_told() -> None:
    assert unexplained("m", PLAIN, PLAIN, KNOWN) == ["m.b: listed as a difference, and there is none"]


def test_what_is_listed_differs_as_listed() -> None:
    (line,) = unexplained("m", PLAIN, {"m.a": "passed", "m.b": "skipped: x"}, KNOWN)
    assert line.endswith("listed otherwise")


def test_a_star_names_tests_that_all_differ() -> None:
    star = (Known("m", ("m.*",), plain="passed", session="failed", reason="r"),)
    assert unexplained("m", PLAIN, {"m.a": "failed", "m.b": "failed"}, star) == []
    (line,) = unexplained("m", PLAIN, {"m.a": "passed", "m.b": "failed"}, star)
    assert line == "m.a: listed as a difference, and there is none"


def test_what_is_listed_for_other_versions_or_modules_does_not_count() -> None:
    other = (Known("m", ("m.b",), plain="passed", session="failed", reason="r", before=(3, 0)),)
    assert len(unexplained("m", PLAIN, {"m.a": "passed", "m.b": "failed"}, other)) == 1
    assert len(unexplained("n", PLAIN, {"m.a": "passed", "m.b": "failed"}, KNOWN)) == 1
