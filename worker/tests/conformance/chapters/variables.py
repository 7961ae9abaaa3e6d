"""Variables: what an execution changed, and what the namespace is said to hold."""

import sys
from typing import Any

from agent import Worker
from conformance.case import Chapter

chapter = Chapter("Variables")
behaviour = chapter.behaviour

# Before, what changes in place, and whose name that is.
IN_PLACE = {
    "an element of a list": ("x = [1, 2]", "x[0] = 5"),
    "an element deep inside": ("x = {'a': [(1, [2])]}", "x['a'][0][1][0] = 5"),
    "a value of a dict": ("x = {'a': 1}", "x['a'] = 2"),
    "a key of a dict": ("x = {'a': 1}", "del x['a']; x['b'] = 1"),
    "an element of a set": ("x = {1, 2}", "x.remove(1); x.add(3)"),
    "the length of a deque": ("from collections import deque\nx = deque([1])", "x.append(2)"),
    "a count": ("from collections import Counter\nx = Counter('ab')", "x['a'] += 1"),
    "a byte": ("x = bytearray(9)", "x[3] = 1"),
    "an attribute": ("class A: pass\nx = A(); x.a = 1", "x.a = 2"),
    "a slot": ("class A: __slots__ = ('a', 'b')\nx = A(); x.a = 1", "x.b = 2"),
    "what an attribute holds": ("class A: pass\nx = A(); x.a = []", "x.a.append(1)"),
    "a field of a dataclass": ("import dataclasses as d\n@d.dataclass\nclass A: a: int\nx = A(1)", "x.a = 2"),
    "a namespace": ("import types\nx = types.SimpleNamespace(a=1)", "x.a = 2"),
    "an element of a list of thousands": ("x = [str(i) for i in range(2000)]", "x[1000] = 'new'"),
    "minus one to minus two": ("x = -1.0", "x = -2.0"),
    "a number of another type": ("x = 1", "x = True"),
}
UNCHANGED = {
    "reading": ("x = {'a': [1, 2.5, float('nan')]}; y = [*range(9)]", "x['a'][0] + len(y); sorted(y)"),
    "the same value again": ("x = 100_000; y = 'text'; z = None", "x = 100_000; y = ''.join(['te', 'xt']); z = None"),
    "a nan": ("x = float('nan')", "pass"),
    "another variable": ("x = [1, 2]; y = {'a': x}", "w = 1; del w"),
    "many": ("x = [list(range(100)) for _ in range(200)]; globals().update({f'v{i}': [i] for i in range(500)})", "5"),
}


def changed(worker: Worker, *codes: str) -> dict[str, Any]:
    """`variables` of the last of the executions."""
    for code in codes:
        run = worker.run(code)
        assert run.status == "ok", run.traceback
    variables: dict[str, Any] = run.one("finished")["variables"]
    return variables


def listed(worker: Worker) -> dict[str, dict[str, Any]]:
    """The list of variables, by name."""
    return {item.pop("name"): item for item in worker.ask("variables")["value"]["items"]}


@behaviour("names that an execution adds, binds anew and deletes are told")
def _(worker: Worker) -> None:
    assert changed(worker, "a = 1; b = 2") == {"added": ["a", "b"], "changed": [], "deleted": []}
    assert changed(worker, "a = 'x'; del b; c = 3") == {"added": ["c"], "changed": ["a"], "deleted": ["b"]}


@behaviour("what changes in place is told")
def _(worker: Worker) -> None:
    for what, (before, change) in IN_PLACE.items():
        assert changed(worker, before, change)["changed"] == ["x"], what


@behaviour("what is only read, or bound to an equal number or text, is not told")
def _(worker: Worker) -> None:
    for what, (before, code) in UNCHANGED.items():
        assert changed(worker, before, code) == {"added": [], "changed": [], "deleted": []}, what


@behaviour("an execution that fails tells what it changed before")
def _(worker: Worker) -> None:
    worker.run("x = [1]")
    run = worker.run("x[0] = 2; y = 1; 1 / 0")
    assert run.one("finished")["variables"] == {"added": ["y"], "changed": ["x"], "deleted": []}


@behaviour("no reference is kept: del frees at once")
def _(worker: Worker) -> None:
    worker.run("class A:\n    def __del__(self): print('gone')\nx = [A()]")
    assert worker.run("del x; print('after')").out == b"gone\nafter\n"


@behaviour("containers and texts are listed with their length as shape and their bytes as size")
def _(worker: Worker) -> None:
    worker.run(
        "import collections\nclass Mine(list): pass\nP = collections.namedtuple('P', 'a b')\n"
        "l = [0] * 1000; d = {'a': 1}; s = 'text'; m = Mine([1]); c = collections.Counter('a'); n = P(1, 2); i = 5\n"
        "f = frozenset({1}); q = collections.deque([1]); r = range(10 ** 30); e = range(3)"
    )
    items = listed(worker)
    assert items["l"]["shape"] == [1000]
    assert items["l"]["size"] == sys.getsizeof([0] * 1000)
    assert items["s"] == {"type": "str", "summary": "'text'", "shape": [4], "size": sys.getsizeof("text")}
    assert items["d"]["shape"] == [1]
    assert items["m"] == {"type": "Mine", "summary": "Mine([1])", "shape": [1]}
    assert items["c"] == {"type": "Counter", "summary": "Counter({'a': 1})", "shape": [1]}
    assert items["n"]["summary"] == "P(1, 2)"
    assert items["f"]["summary"] == "frozenset({1})"
    assert items["q"]["summary"] == "deque([1])"
    assert "shape" not in items["i"]
    assert "shape" not in items["r"]
    assert items["e"]["shape"] == [3]


@behaviour("100,000 names, a dict of 10 million entries and texts of 100 MB are listed")
def _(worker: Worker) -> None:
    worker.run(
        "globals().update({f'v{i}': [i] for i in range(100_000)}); d = dict.fromkeys(range(10**7)); s = 'x' * 10**8"
    )
    items = listed(worker)
    assert len(items) == 100_002
    assert items["d"]["shape"] == [10**7]
    assert items["d"]["summary"].startswith("{0: None, 1: None, ")
    assert len(items["s"]["summary"]) <= 120
    assert changed(worker, "v90000 = 1", "v90000 = 2; del v5") == {
        "added": [],
        "changed": ["v90000"],
        "deleted": ["v5"],
    }


@behaviour("variables are told while code runs that never lets go")
def _(worker: Worker) -> None:
    execution = worker.start("x = 5\nprint(end='', flush=True)\nwhile True: pass")
    worker.expect("started")
    while "x" not in (items := listed(worker)):
        pass
    assert items["x"]["summary"] == "5"
    worker.send("interrupt", execution=execution)
    assert worker.finish(execution).status == "interrupted"


@behaviour("a lazily made proxy is not asked")
def _(worker: Worker) -> None:
    worker.run(
        "class Lazy:\n    def __getattr__(self, name): raise SystemExit\n    __len__ = __iter__ = __getattr__\n"
        "    __class__ = property(__getattr__)\nx = Lazy()"
    )
    assert changed(worker, "y = 1") == {"added": ["y"], "changed": [], "deleted": []}
    assert listed(worker)["x"] == {"type": "Lazy", "summary": "<Lazy object>"}
