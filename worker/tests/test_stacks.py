"""Where stuck code stands: the launcher has the worker write its stacks, whatever the code does."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent import Launcher, Worker, wait_until
from replpool_worker import kernel
from replpool_worker.stacks import SIGNAL, users_frames
from replpool_worker.tracebacks import OUR_FOLDER


@pytest.fixture
def own_launcher() -> Iterator[Launcher]:
    """A launcher with the zygote `z`, of this test alone."""
    made = Launcher()
    made.start_zygote()
    yield made
    made.close()


def stacks(launcher: Launcher, worker: Worker) -> str:
    """Ask for them."""
    launcher.send("stacks", worker=worker.id, pid=worker.pid)
    text: str = launcher.expect("stacks", worker=worker.id)["text"]
    return text


def busy(worker: Worker, code: str) -> str:
    """Start code, and wait until its `print('on')` was read."""
    execution = worker.start(code)
    os.set_blocking(worker.pipes[0], True)
    assert os.read(worker.pipes[0], 3) == b"on\n"
    os.set_blocking(worker.pipes[0], False)
    return execution


STUCK = {
    "a loop": ("def f():\n    while True: pass\nprint('on')\nf()", "line 2 in f"),
    "a C call that keeps the interpreter": (
        "import itertools\ndef f():\n    return max(itertools.repeat(1))\nprint('on')\nf()",
        "line 3 in f",
    ),
    "a sleep": ("import time\nprint('on')\ntime.sleep(100)", "line 3 in <module>"),
    "a lock": (
        "import _thread\nl = _thread.allocate_lock(); l.acquire()\nprint('on')\nl.acquire()",
        "line 4 in <module>",
    ),
    "code behind an await": (
        "import asyncio\nawait asyncio.sleep(0)\nprint('on')\nwhile True: pass",
        "line 4 in <module>",
    ),
}


@pytest.mark.parametrize("case", STUCK)
def test_stacks_name_the_line_and_nothing_of_ours(launcher: Launcher, worker: Worker, case: str) -> None:
    code, place = STUCK[case]
    busy(worker, code)
    lines: list[str] = []

    def stands() -> bool:
        lines[:] = stacks(launcher, worker).splitlines()
        return len(lines) > 1 and lines[1].endswith(place)

    # It said that it goes there, and may be on its way.
    wait_until(stands, f"{place} in {lines}")
    assert "Thread 0x" in lines[0] or "Current thread 0x" in lines[0]
    assert [line for line in lines if "replpool_worker" in line or "asyncio" in line] == []
    assert [line for line in lines if "hread 0x" in line] == lines[:1]


def test_all_threads_of_the_user_are_told(launcher: Launcher, worker: Worker) -> None:
    busy(
        worker,
        "import threading, time\ndef aside():\n    time.sleep(100)\n"
        "threading.Thread(target=aside, daemon=True).start()\nprint('on')\ntime.sleep(100)",
    )
    wait_until(lambda: "line 3 in aside" in stacks(launcher, worker), "the thread")
    assert "line 6 in <module>" in stacks(launcher, worker)


def test_the_code_goes_on_under_the_look(launcher: Launcher, worker: Worker) -> None:
    execution = busy(worker, "print('on')\ninput(); 5")
    request = worker.expect("input_request")["request"]
    for _ in range(3):
        assert "line 2 in <module>" in stacks(launcher, worker)
    worker.send("input_reply", request=request, value="")
    assert worker.expect("result", execution=execution)["data"]["text/plain"] == "5"


# What user code may do to them: they are lost, and nothing else.
LOST = {
    "closes the descriptor": (
        "import os\nfor n in os.listdir('/proc/self/fd'):\n    n = int(n)\n    if n > 800:\n        os.close(n)"
    ),
    "takes the handler away": f"import faulthandler; faulthandler.unregister({int(SIGNAL)})",
    "has the signal do what it did": f"import signal; signal.signal({int(SIGNAL)}, signal.SIG_DFL)",
    "ignores the signal": f"import signal; signal.signal({int(SIGNAL)}, signal.SIG_IGN)",
    "is stopped": None,
}


@pytest.mark.parametrize("case", LOST)
def test_they_may_be_lost_and_the_worker_lives(launcher: Launcher, worker: Worker, case: str) -> None:
    code = LOST[case]
    if code is not None:
        assert worker.run(code).status == "ok"
        assert stacks(launcher, worker) == ""
    else:
        kernel.signal(worker.pid, 19)
        assert stacks(launcher, worker) == ""
        kernel.signal(worker.pid, 18)
    assert worker.run("5").text == "5"


def test_a_faulthandler_of_the_users_own_stays_theirs(launcher: Launcher, worker: Worker) -> None:
    run = worker.run(
        "import faulthandler, os, signal, sys\nfaulthandler.enable()\nfaulthandler.register(signal.SIGUSR1)\n"
        "os.kill(os.getpid(), signal.SIGUSR1)\nfaulthandler.dump_traceback_later(100)\n"
        "faulthandler.cancel_dump_traceback_later()\nfaulthandler.is_enabled()"
    )
    assert run.text == "True"
    assert b"line 4 in <module>" in run.err
    busy(worker, "print('on')\nwhile True: pass")
    wait_until(lambda: "line 2 in <module>" in stacks(launcher, worker), "the stacks")


def test_a_full_fifo_holds_nobody_up(launcher: Launcher, worker: Worker) -> None:
    # Nobody reads while nobody asks.
    code = f"import os\nfor _ in range(2000): os.kill(os.getpid(), {int(SIGNAL)})\n7"
    assert worker.run(code).text == "7"
    busy(worker, "print('on')\nwhile True: pass")
    wait_until(lambda: "line 2 in <module>" in stacks(launcher, worker), "the stacks")
    assert stacks(launcher, worker).count("line 2 in <module>") == 1


def test_deep_and_many_stacks_are_bounded(launcher: Launcher, worker: Worker) -> None:
    busy(
        worker,
        "import threading, time\ndef down(n):\n    time.sleep(100) if n == 0 else down(n - 1)\n"
        "for _ in range(60): threading.Thread(target=down, args=(300,), daemon=True).start()\nprint('on')\ndown(300)",
    )
    text = stacks(launcher, worker)
    assert 1000 < len(text) <= 64 * 1024


def test_a_forked_child_of_the_users_has_no_part_in_it(launcher: Launcher, worker: Worker) -> None:
    run = worker.run(
        "import os, signal\npid = os.fork()\nif pid == 0:\n"
        "    high = [n for n in os.listdir('/proc/self/fd') if int(n) > 800]\n    os._exit(len(high))\n"
        f"first = os.waitpid(pid, 0)[1] >> 8\npid = os.fork()\nif pid == 0: signal.raise_signal({int(SIGNAL)})\n"
        "first, os.WTERMSIG(os.waitpid(pid, 0)[1])"
    )
    assert run.text == f"(0, {int(SIGNAL)})"
    busy(worker, "print('on')\nwhile True: pass")
    wait_until(lambda: "line 2 in <module>" in stacks(launcher, worker), "the stacks")


def test_a_worker_that_is_none_has_no_stacks(launcher: Launcher, worker: Worker) -> None:
    launcher.send("stacks", worker="nobody", pid=os.getpid())
    assert launcher.expect("stacks", worker="nobody")["text"] == ""
    launcher.send("stacks", worker="nobody", pid=worker.pid)
    assert launcher.expect("stacks", worker="nobody")["text"] == ""
    assert worker.run("5").text == "5"


def test_a_worker_that_dies_under_the_look_is_answered(launcher: Launcher) -> None:
    worker = launcher.fork()
    kernel.signal(worker.pid, 19)
    launcher.send("stacks", worker=worker.id, pid=worker.pid)
    launcher.kill(worker)
    assert launcher.expect("stacks", worker=worker.id)["text"] == ""
    worker.close()


def test_what_is_of_the_user_in_a_dump() -> None:
    ours, python = OUR_FOLDER, os.path.dirname(os.__file__)
    dump = f"""Thread 0x00007f01 (most recent call first):
  File "{ours}frames.py", line 1 in _fill
  File "{ours}session.py", line 1 in _listen
  File "{python}/threading.py", line 1 in run

Thread 0x00007f02 (most recent call first):
  File "{ours}input.py", line 1 in ask
  File "<cell 1>", line 2 in asks
  File "{python}/threading.py", line 1 in run

Current thread 0x00007f03 (most recent call first):
  File "<cell 2>", line 9 in __repr__
  File "{ours}mime.py", line 1 in bundle
  File "<cell 2>", line 3 in <module>
  File "{ours}executor.py", line 1 in _run
  File "{ours}interrupts.py", line 1 in run_beside
  File "{python}/asyncio/events.py", line 1 in _run
  File "{ours}session.py", line 1 in run
  File "<frozen runpy>", line 1 in _run_code
"""
    assert (
        users_frames(dump)
        == f"""Thread 0x00007f02 (most recent call first):
  File "<cell 1>", line 2 in asks
  File "{python}/threading.py", line 1 in run

Current thread 0x00007f03 (most recent call first):
  File "<cell 2>", line 9 in __repr__
  File "<cell 2>", line 3 in <module>"""
    )
    assert users_frames("") == ""


def test_many_looks_leave_no_descriptor_behind(own_launcher: Launcher) -> None:
    folder = Path(f"/proc/{own_launcher.process.pid}/fd")

    def open_files() -> int:
        return len(os.listdir(folder))

    before = open_files()
    for _ in range(5):
        worker = own_launcher.fork()
        worker.run("1")
        stacks(own_launcher, worker)
        own_launcher.kill(worker)
        own_launcher.expect("exited", pid=worker.pid)
        worker.close()
    assert open_files() == before
