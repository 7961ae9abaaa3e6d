"""An interrupt ends what it names, wherever that stands, and nothing else."""

from functools import partial

from agent import Worker
from conformance.case import Chapter

chapter = Chapter("Interrupts")
behaviour = chapter.behaviour

ENDED = {
    "a loop": "while True: pass",
    "time.sleep": "import time; time.sleep(3600)",
    "a blocking socket": "import socket; a, b = socket.socketpair(); a.recv(1)",
    "a lock": "import threading; l = threading.Lock(); l.acquire(); l.acquire()",
    "a queue": "import queue; queue.Queue().get()",
    "a thread that is joined": (
        "import threading, time\nt = threading.Thread(target=time.sleep, args=(99,), daemon=True)\nt.start(); t.join()"
    ),
    "a child process": "import subprocess; subprocess.run(['sleep', '3600'])",
    "an await": "import asyncio; await asyncio.sleep(3600)",
    "asyncio.run": "import asyncio; asyncio.run(asyncio.sleep(3600))",
    "input()": "input()",
    "sys.stdin": "import sys; sys.stdin.read()",
    "a repr": "class R:\n    def __repr__(self):\n        while True: pass\nR()",
    "a flood of output": "while True: print('x' * 10_000)",
}


def _ends(code: str, worker: Worker) -> None:
    worker.run("kept = 5")
    run = worker.run_interrupted(code)
    assert (run.status, run.error["name"]) == ("interrupted", "KeyboardInterrupt")
    assert worker.run("kept").text == "5"


for title, code in ENDED.items():
    behaviour(f"ends {title}, and the namespace stays")(partial(_ends, code))


@behaviour("code may catch it and end in its own way")
def _(worker: Worker) -> None:
    execution = worker.start("try: input()\nexcept KeyboardInterrupt: r = 'caught'\nr")
    worker.expect("input_request")
    worker.send("interrupt", execution=execution)
    assert worker.expect("result", execution=execution)["data"]["text/plain"] == "'caught'"


@behaviour("repeated interrupts are one, and the next execution gets none")
def _(worker: Worker) -> None:
    execution = worker.start("input()")
    worker.expect("input_request")
    for _ in range(100):
        worker.send("interrupt", execution=execution)
    following = worker.start("sum(range(100_000)); 'untouched'")
    assert worker.expect("finished", execution=execution)["status"] == "interrupted"
    assert worker.expect("result", execution=following)["data"]["text/plain"] == "'untouched'"
