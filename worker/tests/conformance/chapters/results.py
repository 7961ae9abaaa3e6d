"""Rich results: what the last expression and `display()` show."""

import os
import select

from agent import Launcher, Worker
from conformance.case import Chapter

chapter = Chapter("Rich results")
case, behaviour = chapter.case, chapter.behaviour

REPRESENTATIONS = """\
class A:
    def __repr__(self): return "plain"
    def _repr_html_(self): return "<b>"
    def _repr_markdown_(self): return "**"
    def _repr_latex_(self): return "$x$", {"dpi": 3}
    def _repr_svg_(self): return "<svg/>"
    def _repr_png_(self): return b"\\x89PNG"
    def _repr_jpeg_(self): return b"\\xff\\xd8"
    def _repr_pdf_(self): return b"%PDF"
    def _repr_json_(self): return {"a": [1, None]}
    def _repr_javascript_(self): return "1"
"""

case("a huge result is cut, and the session goes on", "'x' * (100 << 20)", "1 + 1", result="2")
case("_ is the last result", "6 * 7", "_ + 1", result="43")
case(
    "a sys.displayhook of the user's own is called, as python3 -i does, and the result stays",
    "import sys\nsys.displayhook = lambda value: print('shown', value)\n5",
    result="5",
    out="shown 5\n",
)
case(
    "an error of the displayhook is the execution's",
    "import sys\nsys.displayhook = lambda value: 1 / 0\n5",
    error="ZeroDivisionError",
)
case(
    "sys.exit in a representation is the execution's error",
    "class A:\n    def __repr__(self): exit()\nA()",
    error="SystemExit",
)
case(
    "what answers to every name has no rich representation",
    "from unittest.mock import MagicMock",
    "display(MagicMock(name='m'), exclude=['text/plain'])",
    out="",
)


@behaviour("each _repr_*_ method gives its kind, bytes as binary, and metadata in a pair")
def _(worker: Worker) -> None:
    worker.run(REPRESENTATIONS)
    result = worker.run("A()").one("result")
    assert result["data"] == {
        "text/plain": "plain",
        "text/html": "<b>",
        "text/markdown": "**",
        "text/latex": "$x$",
        "image/svg+xml": "<svg/>",
        "image/png": b"\x89PNG",
        "image/jpeg": b"\xff\xd8",
        "application/pdf": b"%PDF",
        "application/json": {"a": [1, None]},
        "application/javascript": "1",
    }
    assert result["metadata"] == {"text/latex": {"dpi": 3}}


@behaviour("display() takes include and exclude, and _repr_mimebundle_ gets them")
def _(worker: Worker) -> None:
    worker.run(
        "class A:\n    def _repr_mimebundle_(self, include=None, exclude=None):\n"
        "        return {'text/html': repr((include, exclude)), 'a/b': '1'}, {'a/b': {'c': 1}}"
    )
    one = worker.run("display(A(), exclude=['text/plain', 'a/b'])").one("display")
    assert one["data"] == {"text/html": "(None, ['text/plain', 'a/b'])"}
    one = worker.run("display(A(), include=['a/b'])").one("display")
    assert (one["data"], one["metadata"]) == ({"a/b": "1"}, {"a/b": {"c": 1}})


@behaviour("a display that has an id is updated by its handle, by update_display and is shown again")
def _(worker: Worker) -> None:
    run = worker.run(
        "h = display(1, display_id=True)\nh.update(2)\nupdate_display(3, display_id=h.display_id)\nh.display(4)"
    )
    shown = [(one["type"], one["data"]["text/plain"]) for one in run.frames if "data" in one]
    assert shown == [("display", "1"), ("update_display", "2"), ("update_display", "3"), ("display", "4")]
    assert len({str(one["transient"]) for one in run.frames if "data" in one}) == 1
    assert worker.run("display(display_id='mine')").one("display")["transient"] == {"display_id": "mine"}
    assert worker.run("repr(display(display_id='mine'))").text == repr("<DisplayHandle display_id=mine>")


@behaviour("display() takes metadata, transient, clear and raw bundles")
def _(worker: Worker) -> None:
    run = worker.run("display({'a/b': b'1'}, raw=True, metadata={'a/b': {'c': 1}}, transient={'d': 2}, clear=True)")
    assert run.one("clear_output")["wait"] is True
    one = run.one("display")
    assert (one["data"], one["metadata"], one["transient"]) == ({"a/b": b"1"}, {"a/b": {"c": 1}}, {"d": 2})
    assert worker.run("display(5, raw=True)").error["name"] == "TypeError"


@behaviour("displays and prints come in the order of the code")
def _(worker: Worker) -> None:
    order: list[str] = []
    worker.start("print('a'); display(1); print('b'); clear_output(); print('c')")
    while "finished" not in order:
        # As an agent does: what has come is read, whichever pipe it came by.
        ready = select.select([worker.pipes[0], worker.fds[0]], [], [])[0]
        if worker.pipes[0] in ready:
            order.append(os.read(worker.pipes[0], 1 << 20).decode())
        else:
            order.append(worker.receive()["type"])
    shown = [one for one in order if one not in ("started", "finished")]
    assert shown[:4] == ["a\n", "display", "b\n", "clear_output"]


@behaviour("_ipython_display_ shows itself, and the result is its text")
def _(worker: Worker) -> None:
    run = worker.run(
        "class A:\n    def _ipython_display_(self): display('mine')\n    def __repr__(self): return 'A'\nA()"
    )
    assert run.one("display")["data"] == {"text/plain": "'mine'"}
    assert run.one("result")["data"] == {"text/plain": "A"}


@behaviour("a representation that raises is told on stderr with its traceback, and keeps the others")
def _(worker: Worker) -> None:
    run = worker.run(
        "class A:\n    def __repr__(self): raise KeyError('k')\n    def _repr_html_(self): return '<b>'\n"
        "    def _repr_png_(self): return 1 / 0\n    def _repr_svg_(self): return 5\nA()"
    )
    assert run.status == "ok"
    assert run.one("result")["data"] == {
        "text/html": "<b>",
        "text/plain": "<A object; its __repr__ raised KeyError: 'k'>",
    }
    assert b"A._repr_png_ raised ZeroDivisionError: division by zero\nTraceback" in run.err
    assert b"A._repr_svg_ returned int where str is expected" in run.err
    assert b"replpool_worker" not in run.err


@behaviour("a representation that never ends is interrupted, and the session goes on")
def _(worker: Worker) -> None:
    execution = worker.start("class A:\n    def __repr__(self):\n        display('in')\n        while True: pass\nA()")
    worker.expect("display")
    worker.send("interrupt", execution=execution)
    assert worker.expect("finished", execution=execution)["status"] == "interrupted"
    worker.backlog.clear()
    assert worker.run("1 + 1").text == "2"


@behaviour("a text of more than 8 MiB is cut to 1 MiB behind a warning OUTPUT_TRUNCATED, in displays too")
def _(worker: Worker) -> None:
    for code, kind in (("[0] * (9 << 20)", "result"), ("display('x' * (9 << 20))", "display")):
        run = worker.run(code)
        assert [one["type"] for one in run.frames[1:3]] == ["warning", kind]
        assert run.one("warning")["code"] == "OUTPUT_TRUNCATED"
        assert len(run.one(kind)["data"]["text/plain"]) == (1 << 20) + 1


@behaviour("display() in a child process that the code forked writes text")
def _(worker: Worker) -> None:
    run = worker.run(
        "import os, sys\npid = os.fork()\nif not pid:\n    display([1])\n    sys.exit()\nos.waitpid(pid, 0)"
    )
    assert run.out == b"[1]\n"


@behaviour("display() works in threads, in modules, and in warm-up code")
def _(worker: Worker, launcher: Launcher) -> None:
    run = worker.run("import threading\nt = threading.Thread(target=display, args=(1,)); t.start(); t.join()")
    assert run.one("display")["data"] == {"text/plain": "1"}
    launcher.start_zygote("displays", warmupCode="import builtins\nshow = getattr(builtins, 'display', None)")
    launcher.send("zygote_stop", zygote="displays")
    launcher.expect("zygote_exited", zygote="displays")
