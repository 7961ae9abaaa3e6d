"""Questions to the client: input(), getpass and sys.stdin."""

from typing import Any

from agent import Run, Worker
from conformance.case import Chapter

chapter = Chapter("Input")
case, behaviour = chapter.case, chapter.behaviour


def answered(worker: Worker, code: str, *values: str | None) -> tuple[Run, list[tuple[str, bool]]]:
    """Run it and answer each question with the next value, None for EOF. Returns the prompts, and which are hidden."""
    left, asked = list(values), []

    def answer(message: dict[str, Any]) -> None:
        if message["type"] == "input_request":
            asked.append((message["prompt"], message["password"]))
            value = left.pop(0)
            reply = {"eof": True} if value is None else {"value": value}
            worker.send("input_reply", request=message["request"], **reply)

    run = worker.run(code, answer)
    assert left == []
    return run, asked


@behaviour("input() asks the client, in functions and loops too")
def _(worker: Worker) -> None:
    run, asked = answered(worker, "def f(): return [input(n) for n in range(2)]\nf()", "a", "b")
    assert (run.text, asked) == ("['a', 'b']", [("0", False), ("1", False)])


@behaviour("input() in threads, and behind asyncio.to_thread")
def _(worker: Worker) -> None:
    code = "import asyncio\nsorted(await asyncio.gather(*(asyncio.to_thread(input, n) for n in 'ab')))"
    run, asked = answered(worker, code, "1", "2")
    assert (run.text, sorted(asked)) == ("['1', '2']", [("a", False), ("b", False)])


@behaviour("getpass hides")
def _(worker: Worker) -> None:
    run, asked = answered(worker, "import getpass; getpass.getpass('secret? ')", "x")
    assert (run.text, asked) == ("'x'", [("secret? ", True)])


@behaviour("the end of the input is an EOFError, and the next question is asked again")
def _(worker: Worker) -> None:
    run, asked = answered(worker, "try: input()\nexcept EOFError: r = input()\nr", None, "b")
    assert (run.text, len(asked)) == ("'b'", 2)


@behaviour("sys.stdin reads a line for a question, and ends at the end of the input")
def _(worker: Worker) -> None:
    run, asked = answered(worker, "import sys\n[sys.stdin.readline(), *sys.stdin]", "a", "b", None)
    assert (run.text, asked) == (repr(["a\n", "b\n"]), [("", False)] * 3)


@behaviour("sys.stdin.buffer has the same as bytes")
def _(worker: Worker) -> None:
    run, _asked = answered(worker, "import sys\nsys.stdin.buffer.read()", "é", None)
    assert run.text == repr("é\n".encode())


@behaviour("input() and sys.stdin mix in order")
def _(worker: Worker) -> None:
    run, _asked = answered(worker, "import sys\n[sys.stdin.read(1), input(), sys.stdin.readline()]", "abc", "d")
    assert run.text == repr(["a", "bc", "d\n"])


@behaviour("pdb asks its commands")
def _(worker: Worker) -> None:
    run, asked = answered(worker, "x = 6\nimport pdb; pdb.Pdb().set_trace()\ny = 1", "p x * 7", "c")
    assert b"42\n" in run.out
    assert asked[0] == ("(Pdb) ", False)


case("a child process is at the end of the input", "import subprocess\nprint(subprocess.run('cat'))", plain=True)
case(
    "a forked child is at the end of the input",
    "import os, sys\nif os.fork() == 0:\n    print(repr(sys.stdin.read()), flush=True); os._exit(0)\n_ = os.wait()",
    plain=True,
)
