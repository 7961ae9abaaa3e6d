"""Frozen forks that take the worker's place: what they undo, and what goes on in them."""

import os
import signal
from collections.abc import Iterator

import pytest

from agent import Launcher, Worker, wait_until
from pair import Pair
from replpool_worker import kernel


@pytest.fixture
def pair(launcher: Launcher) -> Iterator[Pair]:
    """A worker that is replaced by its twins."""
    made = Pair(launcher)
    yield made
    launcher.kill(made.worker)
    made.worker.close()


CHANGES = {
    "a list": ("x = [1]", "x.append(2)", "x", "[1]"),
    "a dict": ("x = {1: [2]}", "x[1].clear(); x[3] = 4", "x", "{1: [2]}"),
    "names": ("x = 1", "y = 2; del x", "x, 'y' in globals()", "(1, False)"),
    "a class": ("class C: n = 1", "C.n = 2; C.m = 3", "C.n, hasattr(C, 'm')", "(1, False)"),
    "a module": (
        "import json",
        "json.FOO = 1; json.dumps = None",
        "hasattr(json, 'FOO'), json.dumps(1)",
        "(False, '1')",
    ),
    "an imported module": (
        "import sys; sys.modules.pop('colorsys', 0)",
        "import colorsys",
        "'colorsys' in sys.modules",
        "False",
    ),
    "a closure": (
        "def make():\n    n = 0\n    def step():\n        nonlocal n\n        n += 1\n"
        "        return n\n    return step\nf = make()",
        "f(); f()",
        "f()",
        "1",
    ),
    "a generator": ("g = iter(range(9)); h = (i for i in g); next(h)", "next(h); next(h)", "next(h)", "1"),
    "an iterator shared by two names": ("a = []; b = a", "a.append(1)", "a is b, b", "(True, [])"),
    "the environment": (
        "import os; os.environ['COLOUR'] = 'red'",
        "os.environ['COLOUR'] = 'blue'; os.environ['NEW'] = '1'",
        "os.environ['COLOUR'], 'NEW' in os.environ, os.popen('echo $COLOUR').read()",
        "('red', False, 'red\\n')",
    ),
    "the folder": ("import os; os.chdir('/usr')", "os.chdir('/')", "os.getcwd()", "'/usr'"),
    "the umask": ("import os; _ = os.umask(0o027)", "os.umask(0)", "os.umask(0)", "23"),
    "random numbers": (
        "import random; random.seed(5); random.gauss(0, 1); s = random.getstate()",
        "random.random()",
        "random.getstate() == s",
        "True",
    ),
    "the worker's own last result": ("5", "6", "_", "5"),
    "a signal's handler": (
        "import signal; got = []; h = signal.signal(signal.SIGUSR1, lambda *_: got.append(1))",
        "signal.signal(signal.SIGUSR1, signal.SIG_IGN)",
        "signal.raise_signal(signal.SIGUSR1); got",
        "[1]",
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_rollback_undoes_what_changed_in_place(pair: Pair, what: str) -> None:
    before, change, look, expected = CHANGES[what]
    pair.run(before)
    twin = pair.worker.twin()
    pair.run(change)
    pair.worker = pair.launcher.resume(pair.worker, twin)
    assert pair.run(look) == expected


@pytest.mark.parametrize(
    "end", ["import os; os.kill(os.getpid(), 9)", "import ctypes; ctypes.string_at(0)", "import os; os._exit(1)"]
)
def test_a_twin_takes_the_place_of_a_worker_that_died(pair: Pair, end: str) -> None:
    pair.run("x = [1]")
    twin = pair.worker.twin()
    pair.worker.start(f"x.append(2)\n{end}")
    pair.launcher.expect("exited", pid=pair.worker.pid)
    pair.worker = pair.launcher.resume(pair.worker, twin)
    assert pair.run("x") == "[1]"


def test_background_tasks_go_on_from_where_they_stood(pair: Pair) -> None:
    pair.run(
        "import asyncio\nlog = []\ngo = asyncio.Event()\nasync def fill():\n"
        "    for i in range(10**6):\n        log.append(i)\n        go.set()\n        await asyncio.sleep(0.001)\n"
        "task = asyncio.create_task(fill())\nawait go.wait()"
    )
    pair.try_and_undo("await asyncio.sleep(0.02); log.clear()")
    pair.run("n = len(log)\nwhile len(log) < n + 5: await asyncio.sleep(0.001)")
    assert pair.run("log == list(range(len(log))), len(log) >= 5") == "(True, True)"
    assert pair.run("task.done()") == "False"


def test_a_resumed_twin_is_a_worker_as_any_other(pair: Pair) -> None:
    pair.run("x = 1")
    pair.try_and_undo("x = 2")
    worker = pair.worker
    run = worker.run("print('out'); import sys; print('err', file=sys.stderr); x")
    assert (run.out, run.err, run.text) == (b"out\n", b"err\n", "1")
    execution = worker.start("input('name? ')")
    request = worker.expect("input_request", prompt="name? ")["request"]
    worker.send("input_reply", request=request, value="Ada")
    assert worker.finish(execution).text == "'Ada'"
    for code in ("while True: pass", "import time; time.sleep(60)", "import asyncio; await asyncio.sleep(60)"):
        execution = worker.start(code)
        worker.expect("started", execution=execution)
        worker.send("interrupt", execution=execution)
        assert worker.finish(execution).status == "interrupted"
    assert pair.run("import asyncio; await asyncio.sleep(0.001); 5") == "5"
    assert pair.run("import subprocess; subprocess.run(['true']).returncode") == "0"
    assert worker.ask("complete", code="imp", cursor=3)["value"]["matches"]
    assert pair.run("import threading; t = threading.Thread(target=lambda: None); t.start(); t.join(); 1") == "1"
    assert pair.run("threading.current_thread() is threading.main_thread(), threading.active_count()") == "(True, 1)"
    assert pair.run("threading.main_thread().native_id == threading.get_native_id()") == "True"
    assert pair.run("import os; os.environ['REPLPOOL_WORKER']") == repr(worker.id)
    assert kernel.environment_value(worker.pid, "REPLPOOL_WORKER") == worker.id
    assert kernel.read(f"/proc/{worker.pid}/comm") == b"replpool-worker\n"


def test_what_user_code_forks_in_a_resumed_twin_is_no_worker(pair: Pair) -> None:
    pair.try_and_undo("1")
    assert pair.run("import os\npid = os.fork()\nif pid == 0: os._exit(7)\nos.waitpid(pid, 0)[1] >> 8") == "7"


def test_timers_go_on_with_what_was_left(pair: Pair) -> None:
    pair.run("import signal; got = []; s = signal.signal(signal.SIGALRM, lambda *_: got.append(1))")
    pair.run("s = signal.setitimer(signal.ITIMER_REAL, 50, 7)")
    pair.try_and_undo("signal.setitimer(signal.ITIMER_REAL, 0)")
    left, interval = eval(pair.run("signal.getitimer(signal.ITIMER_REAL)"))
    assert 20 < left <= 50
    assert interval == pytest.approx(7)
    pair.run("s = signal.setitimer(signal.ITIMER_REAL, 0.01); signal.pause()")
    assert pair.run("got") == "[1]"


def test_the_loops_signal_handlers_work_in_a_resumed_twin(pair: Pair) -> None:
    pair.run("import asyncio, os, signal; came = asyncio.Event(); loop = asyncio.get_running_loop()")
    pair.run("loop.add_signal_handler(signal.SIGUSR1, came.set)")
    pair.try_and_undo("1")
    assert pair.run("os.kill(os.getpid(), signal.SIGUSR1); await asyncio.wait_for(came.wait(), 10)") == "True"
    assert pair.run("asyncio.get_event_loop() is loop") == "True"


def test_a_frozen_twin_answers_with_the_state_of_the_snapshot(pair: Pair) -> None:
    pair.run("x = [1]")
    twin = pair.worker.twin()
    assert twin.hello["capabilities"][-1] == "snapshot"
    assert (twin.hello["pid"], twin.hello["token"]) == (twin.pid, "t")
    pair.run("x.append(2); later = 1")
    (entry,) = twin.ask("variables")["value"]["items"]
    assert (entry["name"], entry["summary"]) == ("x", "[1]")
    assert len(pair.worker.ask("variables")["value"]["items"]) == 2
    assert twin.ask("variables", name="later")["code"] == "VARIABLE_NOT_FOUND"
    assert "x" not in str(twin.ask("complete", code="late", cursor=4)["value"]["matches"])
    assert "found" in twin.ask("inspect", code="x", cursor=1)["value"]
    twin.send("heartbeat")
    twin.expect("heartbeat")
    twin.close()


def test_three_generations_of_twins(pair: Pair) -> None:
    pair.run("x = []")
    for generation in range(3):
        pair.run(f"x.append({generation})")
        pair.try_and_undo("x.clear()")
        assert pair.run("x") == str(list(range(generation + 1)))
    assert pair.run("import os; len(os.listdir('/proc/self/task'))") in ("2", "3")


def test_an_older_snapshot_may_be_resumed_while_a_younger_is_there(pair: Pair) -> None:
    pair.run("x = [0]")
    old = pair.worker.twin()
    pair.run("x.append(1)")
    young = pair.worker.twin()
    young.close()
    pair.worker = pair.launcher.resume(pair.worker, old)
    assert pair.run("x") == "[0]"
    assert (
        pair.run("import os, errno\ntry: os.wait()\nexcept ChildProcessError as e: print(e.errno == errno.ECHILD)")
        == ""
    )


@pytest.mark.parametrize("how", ["close", "shutdown", "refused"])
def test_a_frozen_twin_ends_with_its_connection(pair: Pair, how: str) -> None:
    twin = pair.worker.twin()
    if how == "shutdown":
        twin.send("shutdown")
    elif how == "refused":
        twin.send("nonsense")
    else:
        twin.close()
    wait_until(lambda: not kernel.is_alive(twin.pid), "the twin lives")
    pair.worker.send("discard", snapshot=twin.id)
    wait_until(lambda: not kernel.stat(twin.pid), "the twin is a zombie")


def test_a_twin_is_in_a_session_of_its_own_and_named(pair: Pair) -> None:
    twin = pair.worker.twin()
    assert os.getsid(twin.pid) == twin.pid
    assert kernel.read(f"/proc/{twin.pid}/comm") == b"replpool-twin\n"
    assert kernel.environment_value(twin.pid, "REPLPOOL_WORKER") == twin.id
    twin.close()


def have_oom_steps(*steps: tuple[Worker, int]) -> bool:
    """Whether the kernel was told of each what it was told of us, and so much more."""
    base = int(kernel.read("/proc/self/oom_score_adj"))
    told = [int(kernel.read(f"/proc/{worker.pid}/oom_score_adj")) for worker, _ in steps]
    return told == [min(1000, base + step) for _, step in steps]


def test_the_worker_is_to_be_taken_rather_than_its_twins_while_it_has_some(pair: Pair) -> None:
    twin = pair.worker.twin()
    assert have_oom_steps((pair.worker, 300), (twin, 0))
    pair.worker = pair.launcher.resume(pair.worker, twin)
    assert have_oom_steps((pair.worker, 0))
    old, young = pair.worker.twin(), pair.worker.twin()
    assert have_oom_steps((pair.worker, 300), (old, 0), (young, 0))
    for twin, left in ((old, 300), (young, 0)):
        twin.close()
        pair.worker.send("discard", snapshot=twin.id)
        pair.run("1")
        assert have_oom_steps((pair.worker, left))
    twin = pair.worker.twin()
    assert have_oom_steps((pair.worker, 300), (twin, 0))
    twin.close()


def test_a_twin_may_be_told_to_be_taken_before_others(pair: Pair) -> None:
    old, young = pair.worker.twin(), pair.worker.twin()
    for step in (5, 250, 1000):
        old.send("oom_step", step=step)
        old.send("heartbeat")
        old.expect("heartbeat")
        assert have_oom_steps((old, step), (young, 0))
    young.close()
    pair.worker = pair.launcher.resume(pair.worker, old)
    assert have_oom_steps((old, 0))


def test_a_resumed_twin_dies_with_the_launcher_and_a_frozen_one_with_its_end() -> None:
    launcher = Launcher()
    launcher.start_zygote()
    pair = Pair(launcher)
    pair.try_and_undo("1")
    frozen = pair.worker.twin()
    assert launcher.close() == 0
    assert not kernel.is_alive(pair.worker.pid)
    assert not kernel.is_alive(frozen.pid)

    launcher = Launcher()
    launcher.start_zygote()
    pair = Pair(launcher)
    pair.try_and_undo("1")
    os.kill(launcher.process.pid, signal.SIGKILL)
    wait_until(lambda: not kernel.is_alive(pair.worker.pid), "the resumed twin outlived the launcher")
    launcher.socket.close()
    launcher.process.wait()
    launcher.folder.cleanup()


def test_hooks_of_user_code_for_forks_do_not_disturb_a_twin(pair: Pair) -> None:
    pair.run("import os; log = []; os.register_at_fork(after_in_child=lambda: 1 / 0)")
    pair.try_and_undo("log.append(1)")
    assert pair.run("log") == "[]"


def test_a_fork_warns_of_nothing_and_shows_no_warning_of_the_users_again(pair: Pair) -> None:
    # Python shows one of a place once, until somebody changes the filters.
    pair.run("import warnings\ndef old():\n    warnings.warn('old')")
    assert b"old" in pair.worker.run("old()").err
    pair.worker.twin().close()
    assert pair.worker.run("old()").err == b""
    # Whatever user code thinks of warnings.
    pair.run("warnings.simplefilter('error')")
    pair.worker.twin().close()
    assert pair.run("1 + 1") == "2"


@pytest.mark.parametrize("whose", ["user code", "the template"])
def test_the_end_of_a_worker_is_seen_while_a_hook_of_its_twin_hangs(launcher: Launcher, whose: str) -> None:
    hook = "import os, time\nhangs = False\nos.register_at_fork(after_in_child=lambda: hangs and time.sleep(600))"
    if whose == "the template":
        launcher.start_zygote("hook", warmupCode=hook)
        worker = launcher.fork("hook")
        launcher.stop_zygote("hook")
    else:
        worker = launcher.fork()
        worker.run(hook)
    worker.run("hangs = True")
    twin = worker.snapshot()["value"]["pid"]
    os.kill(worker.pid, signal.SIGKILL)
    with pytest.raises(EOFError):
        worker.receive()
    assert kernel.is_alive(twin)
    launcher.kill(worker)
    wait_until(lambda: not kernel.stat(twin), "the twin is left")
    worker.close()


def test_a_twin_that_hangs_in_a_hook_of_user_code_ends_when_it_is_not_needed(pair: Pair) -> None:
    pair.run("import os, time\nos.register_at_fork(after_in_child=lambda: time.sleep(600))")
    answer = pair.worker.snapshot()
    pid = answer["value"]["pid"]
    assert kernel.is_alive(pid)
    pair.worker.send("discard", snapshot=answer["snapshot"])
    wait_until(lambda: not kernel.stat(pid), "the twin is reaped")
    assert pair.run("1 + 1") == "2"
