"""Interrupts hit the execution they name and never another."""

import os
import time

import pytest

from agent import Worker

SLOW = {
    "sleep": "import time; time.sleep(100)",
    "loop": "while True: pass",
    "await": "import asyncio; await asyncio.sleep(100)",
    "gather": "import asyncio; await asyncio.gather(asyncio.sleep(100), asyncio.to_thread(input))",
    "asyncio.run": "import asyncio; asyncio.run(asyncio.sleep(100))",
    "child": "import subprocess; subprocess.run(['sleep', '100'])",
    "input": "input('?')",
    "join": "import threading; t = threading.Thread(target=input, daemon=True); t.start(); t.join()",
    "output": "while True: print('x' * 10000)",
    "display": "while True: display(1)",
    "repr": "class R:\n    def __repr__(self):\n        while True: pass\nR()",
}


def interrupted(worker: Worker, code: str) -> str:
    """Interrupt an execution that has begun; its status."""
    run = worker.run_interrupted(code)
    if run.status == "interrupted":
        assert run.error["name"] == "KeyboardInterrupt"
        assert "replpool_worker" not in run.traceback
    return run.status


@pytest.mark.parametrize("case", SLOW)
def test_an_interrupt_ends(worker: Worker, case: str) -> None:
    started = time.monotonic()
    assert interrupted(worker, SLOW[case]) == "interrupted"
    assert time.monotonic() - started < 5
    assert worker.run("1 + 1").text == "2"


@pytest.mark.parametrize("wait", ["time.sleep(100)", "asyncio.run(asyncio.sleep(100))", "await asyncio.sleep(100)"])
def test_an_interrupt_right_before_a_wait_ends_it(worker: Worker, wait: str) -> None:
    worker.run("import asyncio, os, time")
    os.set_blocking(worker.pipes[0], True)
    for _ in range(150):
        execution = worker.start(f"os.write(1, b'.'); {wait}")
        worker.expect("started")
        assert os.read(worker.pipes[0], 1) == b"."
        worker.send("interrupt", execution=execution)
        assert worker.expect("finished")["status"] == "interrupted"
        worker.backlog.clear()


def test_an_interrupted_input_is_withdrawn(worker: Worker) -> None:
    execution = worker.start("input('?')")
    request = worker.expect("input_request")["request"]
    worker.send("interrupt", execution=execution)
    cancelled = worker.expect("input_cancelled")
    # The agent ends a worker that sends a field which the frame does not have.
    assert cancelled.keys() - {"n", "ack"} == {"type", "request"}
    assert cancelled["request"] == request
    worker.expect("finished", status="interrupted")
    worker.send("input_reply", request=request, value="late")
    worker.backlog.clear()
    assert worker.run("5").text == "5"


def test_code_may_catch_an_interrupt(worker: Worker) -> None:
    code = "import time\ntry:\n    time.sleep(100)\nexcept KeyboardInterrupt:\n    r = 'caught'\nr"
    assert interrupted(worker, code) == "ok"


def test_a_busy_background_task_is_reached_by_the_second_interrupt(worker: Worker) -> None:
    worker.run("import asyncio\nasync def hog():\n    while True: pass")
    execution = worker.start("asyncio.create_task(hog()); await asyncio.sleep(100)")
    worker.expect("started")
    for _ in range(2):
        time.sleep(0.1)
        worker.send("interrupt", execution=execution)
    assert worker.expect("finished")["status"] == "interrupted"
    worker.backlog.clear()
    assert worker.run("1 + 1").text == "2"


RESET = """
import signal
for number in signal.valid_signals():
    try:
        signal.signal(number, signal.SIG_DFL)
    except (OSError, ValueError):
        pass
"""
# Lets go of the interpreter, and looks for no signal.
LONG_CALL = "import hashlib; hashlib.pbkdf2_hmac('sha256', b'', b'', 1_000_000)"


@pytest.mark.parametrize(
    "reset", [RESET, "import ctypes, signal\nctypes.CDLL(None).signal(signal.SIGRTMAX - 3, None)\n"]
)
def test_an_interrupt_ends_no_worker_whose_signals_were_reset(worker: Worker, reset: str) -> None:
    assert interrupted(worker, reset + LONG_CALL) == "interrupted"
    assert interrupted(worker, LONG_CALL) == "interrupted"
    assert worker.run("1 + 1").text == "2"


def test_a_signal_that_was_reset_wakes_again_in_the_next_execution(worker: Worker) -> None:
    worker.run(RESET)
    assert worker.run("signal.getsignal(signal.SIGRTMAX - 3) != signal.SIG_DFL").text == "True"
    assert worker.run("def mine(*_): pass\nsignal.signal(signal.SIGRTMAX - 3, mine)").status == "ok"
    assert worker.run("signal.getsignal(signal.SIGRTMAX - 3) is mine").text == "True"


def test_an_interrupt_that_names_another_execution_is_dropped(worker: Worker) -> None:
    worker.send("interrupt", execution="e1")
    execution = worker.start("import time; time.sleep(0.1); 4")
    worker.send("interrupt", execution="e0")
    worker.send("interrupt", execution=None)
    assert worker.finish(execution).text == "4"


@pytest.mark.parametrize("code", ["import time; time.sleep(0.001)", "import asyncio; await asyncio.sleep(0.001)"])
def test_an_interrupt_at_the_end_of_an_execution_never_hits_the_next(worker: Worker, code: str) -> None:
    hit = 0
    worker.run(code)
    for round_ in range(300):
        first = worker.start(code)
        worker.receive()
        time.sleep(0.0008 + (round_ % 30) * 0.00002)
        worker.send("interrupt", execution=first)
        second = worker.start("sum(range(20000)); 'second'")
        run = worker.finish(first)
        assert run.status in ("ok", "interrupted")
        hit += run.status == "interrupted"
        after = worker.finish(second)
        assert after.status == "ok", after.frames
        assert after.text == "'second'"
    assert hit < 300
