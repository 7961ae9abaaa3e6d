"""Copies of the namespace, for sessions that cannot be forked."""

from typing import Any

import pytest

from agent import Worker


def taken(worker: Worker, **fields: Any) -> dict[str, Any]:
    """The value of a copy's answer, the snapshot's id in it."""
    answer = worker.snapshot(["copy"], **fields)
    assert answer["type"] == "reply", answer
    value: dict[str, Any] = answer["value"]
    assert value["kind"] == "copy"
    assert "reason" not in value
    return value | {"snapshot": answer["snapshot"]}


def rolled_back(worker: Worker, before: str, change: str, look: str) -> str:
    """What `look` gives after the change was rolled back; all must have been copied."""
    assert worker.run(before).status == "ok"
    copy = taken(worker)
    assert copy["notCopied"] == []
    assert worker.run(change).status == "ok"
    answer = worker.ask("rollback", snapshot=copy["snapshot"])
    assert (answer["type"], answer.get("value")) == ("reply", {})
    return worker.run(look).text


def test_names_that_came_go_and_names_that_went_come_back(worker: Worker) -> None:
    text = rolled_back(worker, "x, y = [1], 2", "x.append(2); z = 3; del y", "x, y, 'z' in globals()")
    assert text == "([1], 2, False)"


def test_what_was_shared_is_shared(worker: Worker) -> None:
    before = "a = []; b = a; d = {'a': a}\nclass C: pass\nc = C(); c.a = a; loop = []; loop.append(loop)"
    look = "a is b is d['a'] is c.a, a, loop[0] is loop, type(c) is C"
    assert rolled_back(worker, before, "a.append(1); c.a = 5", look) == "(True, [], True, True)"


def test_functions_and_modules_stay_and_see_the_names_that_came_back(worker: Worker) -> None:
    before = "import json\nm = [json]; x = [1]\ndef f(): return x\ng = globals(); g0 = f"
    look = "f(), f is g0, m[0] is json, g is globals(), f.__globals__ is globals()"
    assert rolled_back(worker, before, "x = 5", look) == "([1], True, True, True, True)"


def test_the_order_of_the_names_stays(worker: Worker) -> None:
    assert rolled_back(worker, "b = 1; a = 2", "del b; b = 3", "[n for n in globals() if n in 'ab']") == "['b', 'a']"


def test_the_last_result_comes_back(worker: Worker) -> None:
    worker.run("[4]")
    assert rolled_back(worker, "x = 1", "_.append(5); 6", "_") == "[4]"


def test_what_cannot_be_copied_is_named_and_kept(worker: Worker) -> None:
    worker.run(
        "import threading, socket\nl = threading.Lock(); g = (i for i in [1]); s = socket.socket(); x = [1]\n"
        "inner = [5]; h = [inner, l]; again = [inner]\n"
        "class Bad:\n    def __deepcopy__(self, memo): raise SystemExit('no\\udc80')\nb = Bad()\n"
        "class Worse:\n    def __reduce_ex__(self, n): raise type('E', (Exception,), {'__str__': lambda s: 1 / 0})\n"
        "w = Worse()"
    )
    copy = taken(worker)
    why = {one["name"]: one["why"] for one in copy["notCopied"]}
    assert set(why) == {"l", "g", "s", "h", "b", "w"}
    assert "generator" in why["g"]
    assert why["b"].startswith("SystemExit: no")
    worker.run("x.append(2); inner.append(6); h.append(7); k = l")
    worker.ask("rollback", snapshot=copy["snapshot"])
    # Half of `h` was copied when it failed: that half is not what `again` shares.
    assert worker.run("x, again, len(h), type(l).__name__").text == "([1], [[5]], 3, 'lock')"


def test_the_budget_is_asked_before_anything_is_copied(worker: Worker) -> None:
    worker.run(
        "copies = []\nclass Large:\n    def __init__(self): self.data = bytearray(1 << 22)\n"
        "    def __deepcopy__(self, memo): copies.append(1)\n"
        "x = [1]; big = Large(); also = [bytearray(1 << 22)]; y = [2]"
    )
    copy = taken(worker)
    assert [one["name"] for one in copy["notCopied"]] == ["big", "also"]
    assert "more than the" in copy["notCopied"][0]["why"]
    assert 0 < copy["bytes"] < 1 << 20
    assert worker.run("copies").text == "[]"
    assert taken(worker, maxBytes=1 << 24)["bytes"] > 1 << 22


def test_questions_may_name_a_copy(worker: Worker) -> None:
    worker.run("x = [1]")
    copy = taken(worker)
    worker.run("x.append(2); later = 1")
    (entry,) = worker.ask("variables", snapshot=copy["snapshot"])["value"]["items"]
    assert (entry["name"], entry["summary"]) == ("x", "[1]")
    assert worker.ask("variables", snapshot=copy["snapshot"], name="later")["code"] == "VARIABLE_NOT_FOUND"
    assert worker.ask("complete", snapshot=copy["snapshot"], code="late", cursor=4)["value"]["matches"] == []
    assert worker.ask("inspect", snapshot=copy["snapshot"], code="x", cursor=1)["value"]["found"]
    assert len(worker.ask("variables")["value"]["items"]) == 2
    assert worker.ask("variables", snapshot="nobody")["code"] == "NO_TRANSACTION"


def test_a_copy_is_used_once_and_discarded(worker: Worker) -> None:
    worker.run("x = 1")
    first, second = taken(worker)["snapshot"], taken(worker)["snapshot"]
    assert worker.ask("rollback", snapshot=first)["type"] == "reply"
    assert worker.ask("rollback", snapshot=first)["code"] == "NO_TRANSACTION"
    for _ in range(100):
        worker.send("discard", snapshot=second)
        worker.run("1")
        assert worker.ask("rollback", snapshot=second)["code"] == "NO_TRANSACTION"
        second = taken(worker)["snapshot"]


def test_a_finalizer_of_a_forgotten_copy_breaks_nothing(worker: Worker) -> None:
    worker.run("gone = []\nclass F:\n    def __del__(self):\n        gone.append(1); raise SystemExit\nf = F()")
    worker.send("discard", snapshot=taken(worker)["snapshot"])
    worker.run("1")
    assert worker.run("gone").text == "[1]"
    copy = taken(worker)
    worker.run("f = None; gone.clear()")
    worker.ask("rollback", snapshot=copy["snapshot"])
    assert worker.run("type(f).__name__").text == "'F'"


def test_copying_that_hangs_may_be_interrupted_by_the_snapshots_id(worker: Worker) -> None:
    worker.run(
        "class Slow:\n    def __deepcopy__(self, memo):\n        display('copying')\n        while True: pass\n"
        "x = [1]; s = Slow(); y = [2]"
    )
    worker.send("snapshot", request="r", snapshot="slow", kinds=["copy"], maxBytes=1 << 20)
    worker.expect("display")
    worker.send("interrupt", execution="another")
    worker.send("interrupt", execution="slow")
    value = worker.expect("reply", request="r")["value"]
    assert [one["name"] for one in value["notCopied"]] == ["s", "y"]
    assert worker.run("x").text == "[1]"


HANGS = (
    "hang = True\nclass Hangs:\n    def __del__(self):\n        display('gone')\n        while hang: pass\n"
    "    def __deepcopy__(self, memo):\n        while hang: pass\n"
)


@pytest.mark.parametrize("named", ["the snapshot", "the execution that waits"])
@pytest.mark.parametrize("end", ["rollback", "discard"])
def test_what_hangs_when_a_copy_is_let_go_may_be_interrupted(worker: Worker, end: str, named: str) -> None:
    if end == "rollback":
        worker.run(HANGS)
        snapshot = taken(worker)["snapshot"]
        worker.run("h = Hangs()")
        # The answer does not wait for what the names stood for.
        assert worker.ask("rollback", snapshot=snapshot)["type"] == "reply"
    else:
        worker.run(HANGS + "del Hangs.__deepcopy__; h = Hangs()")
        snapshot = taken(worker)["snapshot"]
        worker.send("discard", snapshot=snapshot)
    worker.expect("display")
    execution = worker.start("hang = False")
    if named == "the snapshot" and end == "rollback":
        worker.send("interrupt", execution=snapshot)
        assert worker.finish(execution).status == "ok"
        return
    worker.send("interrupt", execution=execution)
    assert worker.finish(execution).status == "interrupted"
    assert worker.run("hang = False; 1").text == "1"


def keep_busy(worker: Worker) -> None:
    """Have a background callback keep the main thread, while no execution runs, until all is queued behind it."""
    worker.run(
        "import asyncio, time\ndef busy():\n    display('busy'); time.sleep(0.2)\n"
        "x = asyncio.get_running_loop().call_later(0.01, busy)"
    )
    worker.expect("display")


def test_an_interrupt_that_comes_before_what_it_names_begins_is_kept(worker: Worker) -> None:
    worker.run(HANGS + "h = Hangs()")
    keep_busy(worker)
    worker.send("snapshot", request="s", snapshot="s", kinds=["copy"], maxBytes=1 << 20)
    second = worker.start("while True: pass")
    third = worker.start("hang = False; 3")
    worker.send("interrupt", execution="s")
    worker.send("interrupt", execution=second)
    assert {one["name"] for one in worker.expect("reply", request="s")["value"]["notCopied"]} >= {"h"}
    assert worker.expect("finished", execution=second)["status"] == "interrupted"
    assert worker.expect("finished", execution=third)["status"] == "ok"


def test_what_an_interrupt_kept_from_being_let_go_is_let_go_later(worker: Worker) -> None:
    worker.run("gone = []\nclass F:\n    def __del__(self): gone.append(1)\nf = F()")
    copy = taken(worker)["snapshot"]
    keep_busy(worker)
    execution = worker.start("2")
    worker.send("interrupt", execution=execution)
    worker.send("discard", snapshot=copy)
    assert worker.expect("finished", execution=execution)["status"] == "interrupted"
    worker.backlog.clear()
    worker.run("1")
    assert worker.run("gone").text == "[1]"


def test_code_that_turns_the_loop_while_it_is_copied_is_not_overtaken(worker: Worker) -> None:
    worker.run(
        "import asyncio\nlog = []\nclass Turns:\n    def __deepcopy__(self, memo):\n        log.append('copying')\n"
        "        asyncio.get_event_loop().run_until_complete(asyncio.sleep(0.05))\n        log.append('copied')\n"
        "        return self\nt = Turns()"
    )
    worker.send("snapshot", request="r", snapshot="s", kinds=["copy"], maxBytes=1 << 20)
    execution = worker.start("log.append('run')")
    worker.expect("finished", execution=execution)
    assert worker.expect("reply", request="r")["value"]["notCopied"] == []
    worker.backlog.clear()
    assert worker.run("log").text == "['copying', 'copied', 'run']"


def test_a_deep_value_is_not_copied_and_harms_nothing(worker: Worker) -> None:
    worker.run("deep = []\nfor i in range(100_000): deep = [deep]")
    (one,) = taken(worker, maxBytes=1 << 30)["notCopied"]
    assert (one["name"], one["why"].partition(":")[0]) in (("deep", "RecursionError"),)
    assert worker.run("1").text == "1"


def test_many_names_are_copied_in_time_that_grows_with_them(worker: Worker) -> None:
    worker.run("globals().update({f'n{i}': [i] for i in range(20_000)})")
    value = taken(worker, maxBytes=1 << 30)
    assert value["notCopied"] == []
    assert value["costMs"] < 5000
