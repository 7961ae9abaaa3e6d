"""No result and no error of the user's ends a session, however large it is."""

import json
from typing import Any

import pytest

from agent import Launcher, Worker
from replpool_worker.frames import MAX_MESSAGE_BYTES, MAX_VALUES, FrameTooLarge, Message, encode
from replpool_worker.shortening import LIMIT, cut_text, empty, send_what_fits, shorten

BUNDLE = "class C:\n    def _repr_mimebundle_(self, **_): return {}\nC()"
LARGE = {
    "metadata": BUNDLE.format("{'text/plain': 'c'}, {'text/plain': {'x': 'y' * (70 << 20)}}"),
    "many values of metadata": BUNDLE.format(f"{{}}, {{'a': [0] * {MAX_VALUES + 1}}}"),
    "many values": BUNDLE.format(f"{{'application/json': [0] * {MAX_VALUES + 1}}}"),
    "many kinds": BUNDLE.format(f"{{f'k{{n}}': 'x' for n in range({MAX_VALUES // 2 + 1})}}"),
    "large kinds": BUNDLE.format("{f'k{n}': 'x' * (1 << 20) for n in range(70)}"),
    "a huge kind": BUNDLE.format("{'k' * (70 << 20): 'x'}"),
    "binary": BUNDLE.format("{'image/png': bytes(70 << 20)}"),
    "names": "for n in range(70): globals()[f'n{n}' + 'x' * (1 << 20)] = n\n'c'",
}


@pytest.mark.parametrize("case", LARGE)
def test_a_result_that_exceeds_a_frame_is_cut(worker: Worker, case: str) -> None:
    run = worker.run(LARGE[case])
    assert run.status == "ok"
    assert run.one("warning")["code"] == "OUTPUT_TRUNCATED"
    assert "text/plain" in run.one("result")["data"]
    assert worker.run("1 + 1").text == "2"


@pytest.mark.parametrize("codec", ["msgpack", "json"])
@pytest.mark.parametrize(
    "code",
    [
        "raise type('E' * (70 << 20), (Exception,), {})",
        "e = ValueError('x')\ne.__notes__ = ['€' * (1 << 20)] * 50\nraise e",
        "raise ValueError('\\n'.join(['\\1' * (1 << 20)] * 70))",
    ],
)
def test_an_error_that_exceeds_a_frame_is_cut(launcher: Launcher, code: str, codec: str) -> None:
    worker = launcher.fork(codec=codec)
    run = worker.run(code)
    assert run.status == "error"
    assert run.error["name"][:1] in "EV"
    assert worker.run("1 + 1").text == "2"
    launcher.kill(worker)
    worker.close()


def test_a_result_for_which_there_is_no_memory_does_not_end_the_session(worker: Worker) -> None:
    code = (
        "import resource\nclass C:\n    def _repr_html_(self):\n        made = 'x' * (50 << 20)\n"
        "        size = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "        resource.setrlimit(resource.RLIMIT_AS, (size + (20 << 20), -1))\n        return made\nC()"
    )
    run = worker.run(code)
    assert run.status == "ok"
    assert run.one("warning")["code"] == "OUTPUT_TRUNCATED"
    assert worker.run("1 + 1").text == "2"


def largest(text: str) -> Message:
    """A message with as much as can be of everything."""
    return {
        "data": {"text/plain": text, **{f"k{n}": text[:LIMIT] for n in range(1000)}},
        "metadata": {"a": [text] * 2},
        "error": {"name": text, "message": text, "traceback": [text] * 100},
        "variables": {kind: [text[:5000]] * 100_000 for kind in ("added", "changed", "deleted")},
    }


@pytest.mark.parametrize("codec", ["msgpack", "json"])
@pytest.mark.parametrize("character", ["x", "€", "😀", "\1", "\ud800"])
def test_whatever_is_shortened_fits_into_a_frame(character: str, codec: str) -> None:
    message = largest(character * (2 << 20))
    shorten(message)
    assert len(encode(message, codec)) <= MAX_MESSAGE_BYTES


def test_what_is_small_stays_beside_what_is_cut() -> None:
    error = {"name": "ValueError", "message": "x" * (2 << 20), "traceback": ["a", "b"]}
    message: Message = {"data": {"text/html": "<p>"}, "metadata": {"text/html": {"isolated": True}}, "error": error}
    shorten(message)
    assert message["data"] == {"text/html": "<p>"}
    assert message["metadata"] == {"text/html": {"isolated": True}}
    assert (error["name"], error["traceback"]) == ("ValueError", ["a", "b"])


@pytest.mark.parametrize(("text", "cut"), [("abc", "abc"), ("abcd", "abc…"), ("€", "€"), ("a€", "a…"), ("", "")])
def test_text_is_cut_by_bytes_between_characters(text: str, cut: str) -> None:
    assert cut_text(text, 3) == cut


def test_what_cannot_be_sent_even_when_cut_is_left_out() -> None:
    """No value is known that is: the last resort against those that nobody thought of."""
    sent: list[list[str]] = []

    def send(*messages: Message, **_: Any) -> None:
        sent.append([json.dumps(message) for message in messages])
        if len(sent) < 3:
            raise FrameTooLarge("too large")

    fields = {"execution": "e1", "pipes": [0, 0]}
    error = {"name": "E", "message": "secret", "traceback": ["secret"]}
    names = {"added": ["secret"], "changed": [], "deleted": []}
    send_what_fits(
        send,
        [
            {"type": "result", **fields, "data": {"text/plain": "secret"}, "metadata": {"secret": 1}},
            {"type": "error", **fields, "error": error},
            {"type": "finished", **fields, "status": "error", "variables": names},
        ],
        settle=lambda: None,
    )
    last = [json.loads(message) for message in sent[-1]]
    assert [message["type"] for message in last] == ["warning", "result", "error", "finished"]
    assert all(message["execution"] == "e1" for message in last)
    assert last[3]["status"] == "error"
    assert "secret" not in "".join(sent[-1])


def test_empty_leaves_other_messages_as_they_are() -> None:
    message: Message = {"type": "warning", "message": "x"}
    empty(message)
    assert message == {"type": "warning", "message": "x"}
