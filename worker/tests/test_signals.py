"""Signals and the user's handlers of them: as in an interactive Python, and never in code of the worker's."""

import pytest

from agent import Worker
from test_interrupts import interrupted

TAKEN_BEFORE = {
    "default": "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)",
    "SIG_IGN": "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)",
    "SIG_DFL": "import signal; signal.signal(signal.SIGINT, signal.SIG_DFL)",
    "own": "import signal; signal.signal(signal.SIGINT, lambda *_: None)",
    "the C function": "import _signal; _signal.signal(2, lambda *_: None)",
    "restored": "import signal; old = signal.signal(signal.SIGINT, lambda *_: None); signal.signal(signal.SIGINT, old)",
    "asyncio": "import asyncio; await asyncio.sleep(0); asyncio.get_running_loop().add_signal_handler(2, print)",
    "asyncio.run": "import asyncio; asyncio.run(asyncio.sleep(0))",
    "blocked": "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})",
}


@pytest.mark.parametrize("case", TAKEN_BEFORE)
@pytest.mark.parametrize("code", ["import time; time.sleep(100)", "import asyncio; await asyncio.sleep(100)"])
def test_an_interrupt_works_whatever_earlier_code_did_to_sigint(worker: Worker, case: str, code: str) -> None:
    assert worker.run(f"kept = 5\n{TAKEN_BEFORE[case]}").status == "ok"
    assert interrupted(worker, code) == "interrupted"
    assert worker.run("kept").text == "5"


@pytest.mark.parametrize("handler", ["signal.default_int_handler", "signal.SIG_DFL"])
def test_an_interrupt_is_one_under_a_handler_of_the_same_execution(worker: Worker, handler: str) -> None:
    code = f"import signal, time\nsignal.signal(signal.SIGINT, {handler})\ntime.sleep(100)"
    assert interrupted(worker, code) == "interrupted"
    assert worker.run("5").text == "5"


def test_a_handler_of_the_user_is_in_force_during_its_execution(worker: Worker) -> None:
    code = (
        "import signal, time\ncaught = []\nsignal.signal(signal.SIGINT, lambda *call: caught.append(call))\n"
        "while not caught: time.sleep(0.01)\nlen(caught), caught[0][0], caught[0][1].f_code.co_name"
    )
    execution = worker.start(code)
    worker.expect("started")
    worker.send("interrupt", execution=execution)
    run = worker.finish(execution)
    if run.status == "interrupted":
        # It came before the handler was installed.
        return
    assert run.text == "(1, 2, '<module>')"


def test_handlers_are_told_as_python_tells_them(worker: Worker) -> None:
    worker.run("import signal\ndef mine(*_): pass\nnumber = signal.SIGINT")
    assert worker.run("signal.getsignal(number) is signal.default_int_handler").text == "True"
    assert worker.run("signal.signal(number, mine) is signal.default_int_handler").text == "True"
    assert worker.run("signal.signal(number, mine); signal.getsignal(number) is mine").text == "True"
    assert worker.run("signal.signal(signal.SIGALRM, mine)").text == "<Handlers.SIG_DFL: 0>"
    assert worker.run("signal.getsignal(signal.SIGALRM) is mine").text == "True"
    assert worker.run("signal.signal(signal.SIGALRM, signal.SIG_DFL) is mine").text == "True"
    assert worker.run("signal.signal(number, 5)").error["name"] == "TypeError"
    assert worker.run("signal.signal(signal.SIGKILL, mine)").error["name"] == "OSError"
    thread = "import threading\nt = threading.Thread(target=signal.signal, args=(number, mine)); t.start(); t.join()"
    assert b"only works in main thread" in worker.run(thread).err


@pytest.mark.parametrize(
    "code",
    [
        "import _thread; _thread.interrupt_main()\nwhile True: pass",
        "import os, signal; os.kill(os.getpid(), signal.SIGINT)\nwhile True: pass",
        "import signal; signal.raise_signal(signal.SIGINT)",
        "import asyncio, os, signal; asyncio.get_running_loop().call_soon(os.kill, os.getpid(), 2)\n"
        "await asyncio.sleep(100)",
    ],
)
def test_a_sigint_of_the_users_own_is_an_error_and_no_interrupt(worker: Worker, code: str) -> None:
    run = worker.run(code)
    assert (run.status, run.error["name"]) == ("error", "KeyboardInterrupt")
    assert worker.run("5").text == "5"


def test_code_may_catch_its_own_sigint(worker: Worker) -> None:
    run = worker.run("import signal\ntry: signal.raise_signal(2)\nexcept KeyboardInterrupt: r = 'caught'\nr")
    assert run.text == "'caught'"


def test_an_alarm_whose_handler_raises_ends_what_waits(worker: Worker) -> None:
    worker.run("import asyncio, signal, time\ndef late(*_): raise ValueError('late')\nsignal.signal(14, late)")
    for wait in ("time.sleep(100)", "await asyncio.sleep(100)"):
        run = worker.run(f"signal.setitimer(signal.ITIMER_REAL, 0.05); {wait}")
        assert (run.error["name"], run.error["message"]) == ("ValueError", "late")
        assert "replpool_worker" not in run.traceback


def test_a_storm_of_alarms_never_hits_the_workers_own_code(worker: Worker) -> None:
    worker.run(
        "import signal\nhits = 0\ndef storm(*_):\n    global hits\n    hits += 1\n    raise ValueError('storm')\n"
        "signal.signal(signal.SIGALRM, storm)\nsignal.setitimer(signal.ITIMER_REAL, 0.001, 0.0005)"
    )
    for _ in range(300):
        worker.run("display(1); display(2)")
    for _ in range(100):
        if worker.run("signal.setitimer(signal.ITIMER_REAL, 0)").status == "ok":
            break
    worker.run("1")
    assert worker.run("hits > 0").text == "True"


def test_a_forked_child_has_its_signals_to_itself(worker: Worker) -> None:
    worker.run(
        "import os, signal, sys\nsignal.signal(signal.SIGUSR1, lambda *_: os._exit(7))\n"
        "def child(*numbers):\n    pid = os.fork()\n    if pid == 0:\n        for number in numbers:\n"
        "            signal.raise_signal(number)\n        os._exit(1)\n    return os.waitpid(pid, 0)[1]"
    )
    assert worker.run("child(signal.SIGUSR1) >> 8").text == "7"
    run = worker.run("r = child(signal.SIGINT)\nr >> 8")
    assert run.text == "1"
    assert b"KeyboardInterrupt" in run.err
    assert worker.run("signal.signal(2, signal.SIG_IGN); child(signal.SIGINT) >> 8").text == "1"
