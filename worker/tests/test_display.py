"""Rich results and displays, and reads of the live namespace."""

import sys
import time

from agent import Worker


def test_a_result_carries_its_representations(worker: Worker) -> None:
    run = worker.run(
        "class A:\n    def __repr__(self): return 'plain'\n    def _repr_html_(self): return '<b>'\n"
        "    def _repr_png_(self): return b'\\x89PNG', {'width': 3}\nA()"
    )
    result = run.one("result")
    assert result["data"] == {"text/plain": "plain", "text/html": "<b>", "image/png": b"\x89PNG"}
    assert result["metadata"] == {"image/png": {"width": 3}}


def test_a_mimebundle_wins(worker: Worker) -> None:
    code = "class A:\n    def _repr_mimebundle_(self, **_): return {'text/html': '<i>', 'a/b': {1: 2}}\nA()"
    assert worker.run(code).one("result")["data"]["a/b"] == {"1": 2}


def test_representations_that_raise_are_contained(worker: Worker) -> None:
    run = worker.run("class A:\n    def __repr__(self): raise KeyError('k')\n    _repr_html_ = __repr__\nA()")
    assert run.status == "ok"
    assert "KeyError" in run.text
    assert b"_repr_html_ raised KeyError" in run.err


def test_display_update_and_clear(worker: Worker) -> None:
    run = worker.run("i = display(1, display_id=True)\nupdate_display(2, display_id=i)\nclear_output(wait=True)")
    display, update, clear = run.frames[1:4]
    assert display["data"] == {"text/plain": "1"}
    assert update["type"] == "update_display"
    assert update["transient"] == display["transient"] != {}
    assert clear["wait"] is True
    assert worker.run("display({'text/html': '<p>'}, raw=True)").one("display")["data"] == {"text/html": "<p>"}


def test_a_display_too_large_is_the_users_error(worker: Worker) -> None:
    run = worker.run("display({'a/b': b'x' * (65 << 20)}, raw=True)")
    assert run.error["name"] == "ValueError"
    assert worker.run("1 + 1").text == "2"


def test_variables_are_listed_without_running_user_code(worker: Worker) -> None:
    worker.run(
        "class A:\n    def __repr__(self): raise SystemExit\n    __len__ = __getattr__ = __repr__\n"
        "a = A(); numbers = list(range(1000)); d = {'k': [a, {1}, (2,)]}; s = 'x' * 10**6; import os"
    )
    busy = worker.start("import time; time.sleep(0.3)")
    items = {item["name"]: item for item in worker.ask("variables")["value"]["items"]}
    assert items["numbers"]["shape"] == [1000]
    assert items["numbers"]["size"] == sys.getsizeof(list(range(1000)))
    assert items["numbers"]["summary"].startswith("[0, 1, 2")
    assert items["d"]["summary"] == "{'k': [<A object>, {1}, (2,)]}"
    assert items["a"] == {"name": "a", "type": "A", "summary": "<A object>"}
    assert len(items["s"]["summary"]) <= 120
    assert "_" not in items
    worker.finish(busy)
    one = worker.ask("variables", name="numbers")["value"]
    assert one["preview"]["data"]["text/plain"].endswith("999]")
    assert worker.ask("variables", name="nothing")["code"] == "VARIABLE_NOT_FOUND"


def test_completion_and_inspection_read_the_live_namespace(worker: Worker) -> None:
    worker.run("import json\ndef greet(name):\n    '''Say hello.'''\nvalue = {'€': 1}")
    answer = worker.ask("complete", code="'€😀'; json.du", cursor=13)["value"]
    assert answer["matches"][:2] == ["dump", "dumps"]
    assert (answer["cursorStart"], answer["cursorEnd"]) == (11, 13)
    found = worker.ask("inspect", code="greet", cursor=3)["value"]
    assert found["found"] is True
    assert "greet(name)" in found["data"]["text/plain"]
    assert "Say hello." in found["data"]["text/plain"]
    assert worker.ask("inspect", code="nothing", cursor=3)["value"] == {"found": False, "data": {}}


def test_questions_are_answered_while_code_runs(worker: Worker) -> None:
    execution = worker.start("while True: pass")
    worker.expect("started")
    started = time.monotonic()
    assert worker.ask("complete", code="pri", cursor=3)["value"]["matches"][0] == "print"
    worker.send("heartbeat")
    worker.expect("heartbeat")
    assert time.monotonic() - started < 5
    worker.send("interrupt", execution=execution)
    assert worker.finish(execution).status == "interrupted"
