"""Snapshots as the agent asks for them: kinds, reasons, order, and that nothing of them stays."""

import os
import subprocess
import sys

import pytest

from agent import Launcher, Worker, environment, wait_until
from replpool_worker import kernel

COMMAND = [sys.executable, "-m", "replpool_worker"]


def held(worker: Worker) -> tuple[int, int, int]:
    """File descriptors, threads and children of a worker."""
    return (
        len(os.listdir(f"/proc/{worker.pid}/fd")),
        len(os.listdir(f"/proc/{worker.pid}/task")),
        len(kernel.children(worker.pid)),
    )


def test_snapshots_leave_nothing_behind(worker: Worker) -> None:
    worker.run("x = list(range(1000))")
    before = held(worker)
    for number in range(1000):
        if number % 4:
            # One that finds no agent, and ends by itself.
            snapshot = worker.snapshot(["fork"], "/nowhere")["snapshot"]
        else:
            twin = worker.twin()
            twin.close()
            snapshot = twin.id
        worker.send("discard", snapshot=snapshot)
    wait_until(lambda: held(worker) == before, f"{held(worker)} after {before}")
    assert worker.run("len(x)").text == "1000"


@pytest.mark.parametrize("snapshot", ["nobody", None, 5, []])
def test_what_nobody_knows_is_discarded_in_silence(worker: Worker, snapshot: object) -> None:
    worker.send("discard", snapshot=snapshot)
    assert worker.run("1").text == "1"


def test_an_unknown_snapshot_is_not_rolled_back(worker: Worker) -> None:
    answer = worker.ask("rollback", snapshot="nobody")
    assert (answer["type"], answer["code"]) == ("problem", "NO_TRANSACTION")


def test_a_snapshot_comes_between_the_executions_round_it(worker: Worker) -> None:
    worker.run("x = [0]")
    first = worker.start("import time; time.sleep(0.2); x.append(1)")
    worker.send("snapshot", request="s", snapshot="s", kinds=["copy"], maxBytes=1 << 20)
    second = worker.start("x.append(2)")
    worker.expect("finished", execution=first)
    assert worker.expect("reply", request="s")["value"]["kind"] == "copy"
    worker.expect("finished", execution=second)
    order = [frame["type"] for frame in worker.backlog]
    assert order == ["started", "started"]
    assert worker.ask("rollback", snapshot="s")["type"] == "reply"
    worker.backlog.clear()
    assert worker.run("x").text == "[0, 1]"


def test_what_is_queued_behind_a_fork_runs_in_the_worker_alone(launcher: Launcher) -> None:
    worker = launcher.fork()
    worker.run("x = []")
    twin = worker.twin()
    worker.run("x.append(1)")
    twin = launcher.resume(worker, twin)
    assert twin.run("x").text == "[]"
    launcher.kill(twin)
    twin.close()


THREADS = {
    "a thread of the user's": (
        "import threading; e = threading.Event(); t = threading.Thread(target=e.wait, name='reader'); t.start()",
        "reader",
    ),
    "an idle pool's": ("import asyncio; await asyncio.to_thread(int)", "asyncio_0"),
    "one without threading": (
        "import _thread; l = _thread.allocate_lock(); l.acquire(); _thread.start_new_thread(l.acquire, ())",
        "native thread",
    ),
    "one of C": (
        "import ctypes\nc = ctypes.CDLL(None)\np = ctypes.c_ulong()\n"
        "c.pthread_create(ctypes.byref(p), None, ctypes.cast(c.sleep, ctypes.c_void_p), ctypes.c_void_p(1000))",
        "native thread",
    ),
}


@pytest.mark.parametrize("kind", THREADS)
def test_a_thread_beside_the_code_forbids_a_fork(worker: Worker, kind: str) -> None:
    code, named = THREADS[kind]
    assert worker.run(code).status == "ok"
    before = kernel.children(worker.pid)
    problem = worker.snapshot(["fork"], "/nowhere")
    assert (problem["type"], problem["code"]) == ("problem", "FORK_UNSAFE")
    assert named in problem["message"]
    value = worker.snapshot(["fork", "copy"], "/nowhere")["value"]
    assert value["kind"] == "copy"
    assert named in value["reason"]
    assert value["costMs"] >= 0
    assert kernel.children(worker.pid) == before
    assert worker.run("1").text == "1"


def test_threads_that_ended_do_not(worker: Worker) -> None:
    worker.run("import threading\nfor i in range(20):\n    t = threading.Thread(target=int); t.start(); t.join()")
    worker.twin().close()


def test_an_answered_question_is_no_hindrance(worker: Worker) -> None:
    worker.ask("complete", code="imp", cursor=3)
    worker.ask("variables")
    worker.twin().close()


def test_questions_on_their_way_are_answered_beside_a_fork(launcher: Launcher) -> None:
    worker = launcher.fork()
    for number in range(20):
        for question in range(3):
            worker.send("complete", request=f"q{number}.{question}", code="import o", cursor=8)
        worker.send("snapshot", request="s", snapshot="s", kinds=["fork"], socket="/nowhere", token="t", maxBytes=0)
        for question in range(3):
            assert worker.expect("reply", request=f"q{number}.{question}")["value"]["matches"]
        assert worker.expect("reply", request="s")["value"]["kind"] == "fork"
    launcher.kill(worker)
    worker.close()


def test_a_module_that_no_fork_survives_is_named(worker: Worker) -> None:
    worker.run("import sys, types; sys.modules['cupy'] = types.ModuleType('cupy')")
    assert "cupy is imported" in worker.snapshot(["fork"], "/nowhere")["message"]


def test_torch_counts_where_it_uses_a_gpu(worker: Worker) -> None:
    worker.run("import sys, types; cuda = types.ModuleType('torch.cuda'); sys.modules['torch.cuda'] = cuda")
    worker.twin().close()
    worker.run("cuda._initialized = True")
    assert "torch uses a GPU" in worker.snapshot(["fork"], "/nowhere")["message"]


def test_a_limit_on_processes_is_told(worker: Worker) -> None:
    # It does not hold for root.
    worker.run("import os, resource\nif os.getuid() == 0: os.setuid(65534)")
    assert worker.run("resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))").status == "ok"
    message = worker.snapshot(["fork"], "/nowhere")["message"]
    assert message == "the fork failed: Resource temporarily unavailable"
    assert worker.run("1").text == "1"


def test_a_worker_started_on_its_own_copies() -> None:
    process = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment())
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        worker = Worker(process.stdout.fileno(), [], "stdio", process.pid, process.stdin.fileno())
        assert "snapshot" not in worker.greet()["capabilities"]
        worker.expect("ready")
        assert worker.snapshot(["fork"])["code"] == "FORK_UNSAFE"
        assert worker.snapshot(["fork", "copy"])["value"]["kind"] == "copy"
        asked = worker.ask("fork", branches=[{"branch": "b", "token": "t"}], socket="/nowhere")
        assert asked["code"] == "FORK_UNSAFE"
        worker.send("shutdown")
        assert process.wait(10) == 0


def test_a_twin_that_finds_no_agent_ends(worker: Worker) -> None:
    answer = worker.snapshot(["fork"], "/nowhere/at/all")
    pid = answer["value"]["pid"]
    wait_until(lambda: not kernel.is_alive(pid), "the twin lives")
    assert worker.run("1").text == "1"
    wait_until(lambda: not kernel.stat(pid), "the twin is a zombie")


@pytest.mark.parametrize(
    "fields",
    [{"kinds": []}, {"kinds": ["magic"]}, {"kinds": None}, {"snapshot": 5}],
)
def test_a_snapshot_that_is_none_breaks_the_protocol(launcher: Launcher, fields: dict[str, object]) -> None:
    worker = launcher.fork()
    worker.send("snapshot", **{"request": "r", "snapshot": "s", "kinds": ["copy"], "maxBytes": 1, **fields})
    assert launcher.expect("exited", pid=worker.pid)["code"] == 70
    worker.close()


def test_buffered_output_is_written_once(launcher: Launcher) -> None:
    worker = launcher.fork()
    run = worker.run("import sys, ctypes; sys.stdout.write('half'); ctypes.CDLL(None).printf(b'C'); None")
    assert run.out in (b"halfC", b"Chalf")
    twin = worker.twin()
    worker.run("1")
    twin = launcher.resume(worker, twin)
    run = twin.run("print('end')")
    assert run.out == b"end\n"
    launcher.kill(twin)
    twin.close()


HANDLER = "import os, signal, time\nseen = []\nh = signal.signal(signal.SIGCHLD, lambda *_: seen.append(1))"


@pytest.mark.parametrize("wait", ["time.sleep(0.001)", "await asyncio.sleep(0.001)", None])
def test_a_handler_of_children_is_not_called_for_twins(worker: Worker, wait: str | None) -> None:
    worker.run(HANDLER)
    for _ in range(10):
        twin = worker.twin()
        execution = None
        if wait is not None:
            # Until it is reaped.
            execution = worker.start(f"import asyncio\nwhile os.path.exists('/proc/{twin.pid}'): {wait}")
            worker.expect("started", execution=execution)
        twin.close()
        worker.send("discard", snapshot=twin.id)
        if execution is not None:
            worker.finish(execution)
        wait_until(lambda pid=twin.pid: not kernel.stat(pid), "the twin is a zombie")  # type: ignore[misc]
    assert worker.run("seen").text == "[]"


CHILDREN = {
    "one that it waits for": "p = os.fork()\nif p == 0: os._exit(1)\nos.waitpid(p, 0)",
    "one that it waits for later": "p = os.fork()\nif p == 0: os._exit(1)\nwhile not seen: time.sleep(0.001)",
    "one of subprocess": "import subprocess; subprocess.run(['true'])",
    "one that stops": "import subprocess; p = subprocess.Popen(['sleep', '100']); p.send_signal(19)\n"
    "while not seen: time.sleep(0.001)\np.kill()",
    "a signal that code sends": "signal.raise_signal(signal.SIGCHLD)",
}


@pytest.mark.parametrize("kind", CHILDREN)
def test_a_handler_of_children_is_called_for_the_users_whatever_twins_do(worker: Worker, kind: str) -> None:
    worker.run(HANDLER)
    for _ in range(10):
        twin = worker.twin()
        execution = worker.start(f"seen.clear()\n{CHILDREN[kind]}")
        worker.expect("started", execution=execution)
        twin.close()
        assert worker.finish(execution).status == "ok"
        assert worker.run("len(seen) > 0").text == "True"
        worker.send("discard", snapshot=twin.id)


def test_a_session_that_ignores_its_children_takes_snapshots(worker: Worker) -> None:
    worker.run("import signal; h = signal.signal(signal.SIGCHLD, signal.SIG_IGN)")
    for _ in range(3):
        twin = worker.twin()
        twin.close()
        worker.send("discard", snapshot=twin.id)
        wait_until(lambda pid=twin.pid: not kernel.stat(pid), "the twin lives")  # type: ignore[misc]
    assert worker.run("1").text == "1"
