"""Launcher and zygote: warming, forking, telling how workers end, and leaving nothing behind."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent import Launcher, Peer, Worker, environment, wait_until
from replpool_worker import kernel
from replpool_worker.frames import encode


@pytest.fixture
def own() -> Iterator[Launcher]:
    """A launcher that the test may end."""
    made = Launcher()
    yield made
    made.close()


def test_the_launcher_says_what_it_is(own: Launcher) -> None:
    assert own.hello["capabilities"] == ["launcher"]
    assert own.hello["protocol"] == [1]


def test_sessions_find_what_the_zygote_warmed(own: Launcher) -> None:
    ready = own.start_zygote(
        preload=["decimal"], warmupCode="import json as j\nWARM = 3", env={"COLOUR": "blue"}, cpu=2.5
    )
    assert ready["durationMs"] > 0
    worker = own.fork()
    assert worker.hello["token"] == "secret"
    assert worker.hello["transport"] == "socket"
    assert worker.run("import sys; 'decimal' in sys.modules, WARM").text == "(True, 3)"
    assert worker.run("import os; os.environ['COLOUR'], os.environ['OMP_NUM_THREADS']").text == "('blue', '3')"


def test_a_zygote_that_cannot_warm_says_why(own: Launcher) -> None:
    own.send("zygote_start", zygote="a", preload=["no_such_module"], warmupCode="", env={}, cpu=1)
    assert own.expect("zygote_failed", zygote="a")["error"]["name"] == "ModuleNotFoundError"
    own.send("zygote_start", zygote="b", preload=[], warmupCode="x = 1\n1 / 0", env={}, cpu=1)
    error = own.expect("zygote_failed", zygote="b")["error"]
    assert error["name"] == "ZeroDivisionError"
    assert '"<warmup>", line 2' in "".join(error["traceback"])
    own.send("zygote_start", zygote="c", preload=[], warmupCode="import os; os._exit(4)", env={}, cpu=1)
    assert own.expect("zygote_failed", zygote="c")["error"]["message"] == "the zygote ended with code 4 while warming"
    own.send("fork", zygote="c", worker="w", socket="/x", token="t", directory="/nowhere")
    assert "not running" in own.expect("fork_failed", worker="w")["message"]
    own.start_zygote("d")
    own.send("fork", zygote="d", worker="w", socket="/x", token="t", directory="/nowhere")
    assert own.expect("fork_failed", worker="w")["errno"] == 2


def test_a_stopped_zygote_is_told_and_its_workers_live_on(own: Launcher) -> None:
    pid = own.start_zygote()["pid"]
    worker = own.fork()
    own.send("zygote_stop", zygote="z")
    exited = own.expect("zygote_exited", zygote="z")
    assert (exited["pid"], exited["signal"]) == (pid, "SIGKILL")
    assert worker.run("1 + 1").text == "2"
    own.start_zygote()


@pytest.mark.parametrize(
    ("code", "how"),
    [
        ("import os; os._exit(3)", {"code": 3}),
        ("import ctypes; ctypes.string_at(0)", {"signal": "SIGSEGV"}),
        ("import os; os.abort()", {"signal": "SIGABRT"}),
        ("import os; os.kill(os.getpid(), 9)", {"signal": "SIGKILL"}),
        ("import os; os.close(int(os.environ['PYREPL_PROTOCOL_FDS'].split(',')[0]))", {"code": 70}),
        ("import os; os.write(int(os.environ['PYREPL_PROTOCOL_FDS'].split(',')[0]), b'junk')", None),
    ],
)
def test_how_a_worker_ended_is_told(launcher: Launcher, code: str, how: dict[str, object] | None) -> None:
    worker, other = launcher.fork(), launcher.fork()
    worker.start(code)
    if how is None or ("code" in how and how["code"] == 70):
        launcher.kill(worker)
        launcher.expect("exited", pid=worker.pid)
    else:
        exited = launcher.expect("exited", pid=worker.pid)
        assert {key: exited[key] for key in exited.keys() & {"code", "signal"}} == how
    assert other.run("1 + 1").text == "2"
    for one in (worker, other):
        launcher.kill(one)
        one.close()


def test_a_frame_out_of_order_ends_that_worker(launcher: Launcher) -> None:
    worker = launcher.fork()
    worker.sent += 5
    worker.send("heartbeat")
    assert launcher.expect("exited", pid=worker.pid)["code"] == 70
    worker.close()


def test_a_repeated_frame_is_dropped(worker: Worker) -> None:
    worker.run("n = 0")
    worker.sent -= 1
    worker.send("execute", execution="again", code="n += 1", silent=False, executionCount=9)
    assert worker.run("n").text == "0"


def test_a_worker_with_broken_fds_still_answers(worker: Worker) -> None:
    assert worker.run("import os; os.close(1); os.close(2)").status == "ok"
    assert worker.run("print('lost'); 4").status in ("ok", "error")
    assert worker.run("4").text == "4"


def test_open_makes_a_session_of_a_fork(worker: Worker, tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("X = 8")
    assert worker.run("import os; os.environ['GONE'] = 'was there'").status == "ok"
    env = {"A": "1", "GONE": None, "NEVER": None}
    worker.send("open", session="s", cwd=str(tmp_path), env=env, fileDescriptors=100)
    assert "error" not in worker.expect("opened", session="s")
    assert worker.run("import os, beside; os.getcwd(), os.environ['A'], beside.X").text == repr((str(tmp_path), "1", 8))
    assert worker.run("'GONE' in os.environ").text == "False"
    assert worker.run("open_ = [open('/dev/null') for _ in range(200)]").error["name"] == "OSError"
    assert worker.run("1 + 1").text == "2"


def test_open_stays_within_the_hard_limit_of_descriptors() -> None:
    ours, theirs = socket.socketpair()
    fd = theirs.fileno()
    code = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300))\n"
    # Root may raise its hard limit, unless it gave that power up.
    code += "import ctypes; ctypes.CDLL(None).prctl(24, 24, 0, 0, 0)\n"
    code += "import os, sys; os.execv(sys.executable, [sys.executable, '-m', 'replpool_worker'])"
    command = [sys.executable, "-c", code]
    # Our end closes first, so that a failing test ends too.
    with subprocess.Popen(command, pass_fds=[fd], env=environment(PYREPL_PROTOCOL_FDS=f"{fd},{fd}")) as process, ours:
        theirs.close()
        worker = Worker(ours.fileno(), [], "w", process.pid)
        worker.greet()
        worker.send("open", session="s", cwd="/", env={}, fileDescriptors=1_000_000)
        assert "error" not in worker.expect("opened")
        limits = "import resource; resource.getrlimit(resource.RLIMIT_NOFILE)"
        assert worker.run(limits).text == "(300, 300)"
        ours.close()
        assert process.wait(20) == 0


def test_open_tells_what_is_wrong(worker: Worker) -> None:
    worker.send("open", session="s", cwd="/no/such/folder", env={}, fileDescriptors=100)
    assert worker.expect("opened")["error"]["name"] == "FileNotFoundError"


# The link to the launcher is the one socket that a zygote has.
LINK = (
    "import os, stat\n"
    "link = next(fd for fd in range(3, 100) if os.path.exists(f'/proc/self/fd/{fd}')"
    " and stat.S_ISSOCK(os.fstat(fd).st_mode))\n"
)
SAYS = "from replpool_worker.frames import encode\nsay = lambda message: os.write(link, encode(message, 'msgpack'))\n"
FAULTS = {
    "garbage": "os.write(link, b'\\0\\0\\0\\4junk')",
    "a frame too long": "os.write(link, b'\\xff' * 8)",
    "half a frame and no more": "os.write(link, b'\\0\\0'); socket.socket(fileno=link).shutdown(2)",
    "a lie": "say({'type': 'forked', 'worker': 'none', 'pid': 1})",
    "no type": "say({'a': 1})",
    "a second ready": "say({'type': 'ready'})",
    "a closed link": "socket.socket(fileno=link).shutdown(2)",
}


def later(path: Path, act: str) -> str:
    """Warm-up code whose thread acts when a file appears."""
    return (
        f"{LINK}{SAYS}import socket, threading, time\ndef later():\n    while not os.path.exists({str(path)!r}):\n"
        f"        time.sleep(0.01)\n    {act}\nthreading.Thread(target=later, daemon=True).start()"
    )


@pytest.mark.parametrize("case", FAULTS)
def test_a_broken_zygote_is_killed_alone(own: Launcher, tmp_path: Path, case: str) -> None:
    own.start_zygote("good")
    pid = own.start_zygote("bad", warmupCode=later(tmp_path / "now", FAULTS[case]))["pid"]
    living = own.fork("bad")
    (tmp_path / "now").touch()
    exited = own.expect("zygote_exited", zygote="bad")
    assert exited["pid"] == pid
    own.send("fork", zygote="bad", worker="late", socket="/x", token="t", directory="/nowhere")
    assert "not running" in own.expect("fork_failed", worker="late")["message"]
    assert living.run("1 + 1").text == "2"
    assert own.fork("good").run("2 + 2").text == "4"


def test_a_zygote_that_writes_garbage_while_warming_says_so(own: Launcher) -> None:
    code = LINK + "os.write(link, b'\\0\\0\\0\\4junk')\nimport time; time.sleep(100)"
    own.send("zygote_start", zygote="a", preload=[], warmupCode=code, env={}, cpu=1)
    message = own.expect("zygote_failed", zygote="a")["error"]["message"]
    assert "not msgpack" in message
    assert own.start_zygote("b")


def test_a_zygote_that_stands_still_holds_up_nobody(own: Launcher) -> None:
    own.start_zygote("good")
    pid = own.start_zygote("still")["pid"]
    os.kill(pid, signal.SIGSTOP)
    # More than the socket and what is kept for it hold.
    workers = [f"w{n}" for n in range(40)]
    for worker in workers:
        own.send("fork", zygote="still", worker=worker, socket="/x", token="t" * 50_000, directory="/nowhere")
        own.fork("good").run("1")
    for worker in workers:
        own.expect("fork_failed", worker=worker)
    assert own.expect("zygote_exited", zygote="still")["signal"] == "SIGKILL"


def test_forks_of_a_zygote_that_is_stopped_have_failed(own: Launcher) -> None:
    pid = own.start_zygote()["pid"]
    os.kill(pid, signal.SIGSTOP)
    own.send("fork", zygote="z", worker="w", socket="/x", token="t", directory="/nowhere")
    own.send("zygote_stop", zygote="z")
    assert "ended before it answered" in own.expect("fork_failed", worker="w")["message"]
    own.send("fork", zygote="unknown", worker="w2", socket="/x", token="t", directory="/nowhere")
    assert "not running" in own.expect("fork_failed", worker="w2")["message"]


def test_a_zygote_that_cannot_be_started_is_told(own: Launcher) -> None:
    own.send("zygote_start", zygote="a", preload=[], warmupCode="", env={"A=B\0": "x"}, cpu=1)
    assert own.expect("zygote_failed", zygote="a")["error"]["name"] == "ValueError"
    own.send("zygote_start", zygote="b", preload=[], warmupCode="raise ValueError('x' * (70 << 20))", env={}, cpu=1)
    assert own.expect("zygote_failed", zygote="b")["error"]["name"] == "ValueError"
    assert own.start_zygote("c")


@pytest.mark.parametrize(
    "message",
    [
        {"type": "nonsense"},
        {"type": "fork"},
        {"type": "kill", "worker": "w", "pid": "x"},
        {"type": "zygote_start", "zygote": "a", "env": 5},
    ],
)
def test_what_is_no_order_ends_the_launcher_with_a_clear_word(message: dict[str, object]) -> None:
    ours, theirs = socket.socketpair()
    fd = theirs.fileno()
    command = [sys.executable, "-m", "replpool_worker", "launcher"]
    variables = environment(PYREPL_PROTOCOL_FDS=f"{fd},{fd}")
    with subprocess.Popen(command, pass_fds=[fd], env=variables, stderr=subprocess.PIPE) as process, ours:
        theirs.close()
        peer = Peer(ours.fileno(), ours.fileno())
        peer.greet()
        fields = dict(message)
        peer.send(str(fields.pop("type")), **fields)
        assert process.wait(20) == 70
        assert process.stderr is not None
        text = process.stderr.read()
        assert b"the agent broke the protocol" in text
        assert b"Traceback" not in text


def test_a_kill_leaves_alone_what_is_not_the_workers(own: Launcher) -> None:
    own.start_zygote()
    one, other = own.fork(), own.fork()
    with subprocess.Popen(["sleep", "100"], start_new_session=True) as stranger:
        # As if the number had been given out again: to a process that is not below us, and to another worker.
        for pid in (stranger.pid, other.pid, own.process.pid, os.getpid()):
            own.send("kill", worker=one.id, pid=pid)
            own.expect("killed", worker=one.id)
            assert stranger.poll() is None
            assert other.run("1 + 1").text == "2"
            one = own.fork()
        stranger.kill()


def test_a_worker_is_its_own_session_and_dies_with_the_launcher(own: Launcher) -> None:
    own.start_zygote()
    worker = own.fork()
    assert kernel.stat(worker.pid)[1:4] == [str(own.process.pid), str(worker.pid), str(worker.pid)]
    assert worker.run("import os; sorted(map(int, os.listdir('/proc/self/fd')))[:3]").text == "[0, 1, 2]"
    own.process.kill()
    own.process.wait()
    wait_until(lambda: not kernel.is_alive(worker.pid), "the worker outlived its launcher")


def test_forks_do_not_share_random_numbers(launcher: Launcher) -> None:
    workers = [launcher.fork() for _ in range(2)]
    texts = {worker.run("import random; random.random()").text for worker in workers}
    assert len(texts) == 2
    for worker in workers:
        launcher.kill(worker)
        worker.close()


ESCAPES = {
    "child": "import subprocess, sys; p = subprocess.Popen(['sleep', '1000']); p.pid",
    "setsid": "import subprocess; p = subprocess.Popen(['sleep', '1000'], start_new_session=True); p.pid",
    "orphan": (
        "import subprocess; int(subprocess.run(['sh', '-c', 'setsid sleep 1000 >/dev/null 2>&1 & echo $!'],"
        " capture_output=True).stdout)"
    ),
    "double fork": (
        "import os, time\nr, w = os.pipe()\nif os.fork() == 0:\n    os.setsid()\n    pid = os.fork()\n"
        "    if pid == 0:\n        time.sleep(1000)\n    os.write(w, str(pid).encode()); os._exit(0)\n"
        "os.wait(); int(os.read(r, 20))"
    ),
}


@pytest.mark.parametrize("case", ESCAPES)
def test_kill_leaves_nothing_of_a_worker(launcher: Launcher, case: str) -> None:
    worker, other = launcher.fork(), launcher.fork()
    kept, escaped = int(other.run(ESCAPES[case]).text), int(worker.run(ESCAPES[case]).text)
    assert kernel.is_alive(escaped)
    launcher.kill(worker)
    assert not kernel.is_alive(worker.pid)
    assert not kernel.is_alive(escaped)
    assert kernel.is_alive(kept)
    launcher.kill(other)
    assert not kernel.is_alive(kept)


def test_what_a_dead_worker_left_is_killed_too(launcher: Launcher) -> None:
    worker = launcher.fork()
    escaped = int(worker.run(ESCAPES["setsid"]).text)
    worker.start("import os; os._exit(0)")
    launcher.expect("exited", pid=worker.pid)
    assert kernel.is_alive(escaped)
    launcher.kill(worker)
    assert not kernel.is_alive(escaped)


@pytest.mark.parametrize("end", ["end of file", "SIGTERM", "shutdown"])
def test_at_its_end_the_launcher_leaves_nothing(own: Launcher, end: str) -> None:
    zygote = own.start_zygote()["pid"]
    pids = [zygote]
    for code in ESCAPES.values():
        worker = own.fork()
        pids += [worker.pid, int(worker.run(code).text)]
    assert all(map(kernel.is_alive, pids))
    if end == "SIGTERM":
        own.process.send_signal(signal.SIGTERM)
    elif end == "shutdown":
        own.send("shutdown")
    else:
        own.socket.close()
    assert own.process.wait(20) == 0
    assert not [pid for pid in pids if os.path.exists(f"/proc/{pid}")]


def test_frames_right_behind_the_hello_are_not_left_lying() -> None:
    ours, theirs = socket.socketpair()
    fd = theirs.fileno()
    start = {
        "type": "zygote_start",
        "zygote": "z",
        "preload": [],
        "warmupCode": "",
        "env": {},
        "cpu": 1,
        "n": 1,
        "ack": 0,
    }
    hello = encode({"type": "hello", "protocol": 1, "codec": "json"}, "json")
    ours.sendall(hello + encode(start, "json"))
    command = [sys.executable, "-m", "replpool_worker", "launcher"]
    with ours, subprocess.Popen(command, pass_fds=[fd], env=environment(PYREPL_PROTOCOL_FDS=f"{fd},{fd}")) as process:
        theirs.close()
        peer = Peer(ours.fileno(), ours.fileno())
        assert peer.raw()["type"] == "hello"
        assert peer.raw()["type"] == "zygote_ready"
        ours.close()
        assert process.wait(20) == 0


def test_a_kill_spares_a_process_and_what_is_below_it(launcher: Launcher) -> None:
    worker = launcher.fork()
    code = "import os, subprocess\np = subprocess.Popen(['sh', '-c', 'sleep 1000 & echo $!; wait'], stdout=-1)"
    worker.run(code + "\nq = subprocess.Popen(['sleep', '1000'])")
    below = int(worker.run("int(p.stdout.readline())").text)
    spared, ended = int(worker.run("p.pid").text), int(worker.run("q.pid").text)
    launcher.kill(worker, spare=[spared])
    worker.close()
    assert not kernel.is_alive(worker.pid)
    assert not kernel.is_alive(ended)
    # Not stopped, either.
    for pid in (spared, below):
        assert kernel.stat(pid)[0] in "SR"
    os.kill(below, signal.SIGKILL)
    wait_until(lambda: not kernel.is_alive(spared), "it did not go on")


def test_an_adopted_process_is_known_by_its_worker(launcher: Launcher) -> None:
    worker = launcher.fork()
    worker.run("def f(): import time; time.sleep(1000)")
    twin = launcher.resume(worker, worker.twin())
    launcher.expect("exited", pid=worker.pid)
    execution = twin.start("f()")
    twin.expect("started", execution=execution)

    def told() -> str:
        launcher.send("stacks", worker=twin.id, pid=twin.pid)
        return str(launcher.expect("stacks", worker=twin.id)["text"])

    wait_until(lambda: "in f" in told(), "no stack came")
    launcher.send("wake", worker=twin.id, pid=twin.pid)
    launcher.kill(twin)
    assert launcher.expect("exited", pid=twin.pid)["signal"] == "SIGKILL"
    twin.close()


def test_a_process_that_ended_is_not_adopted(launcher: Launcher) -> None:
    worker = launcher.fork()
    twin = worker.twin()
    twin.close()
    wait_until(lambda: not kernel.is_alive(twin.pid), "the twin lives")
    launcher.send("adopt", worker=twin.id, pid=twin.pid, of=worker.id)
    assert not launcher.expect("adopted", worker=twin.id)["isOurs"]
    launcher.send("stacks", worker=twin.id, pid=twin.pid)
    assert launcher.expect("stacks", worker=twin.id)["text"] == ""
    assert worker.run("1").text == "1"
    launcher.kill(worker)
    worker.close()


def test_a_twin_that_lost_its_worker_hinders_no_kill_of_others(launcher: Launcher) -> None:
    worker, other = launcher.fork(), launcher.fork()
    twin = worker.twin()
    os.kill(worker.pid, signal.SIGKILL)
    launcher.expect("exited", pid=worker.pid)
    launcher.kill(other)
    assert kernel.is_alive(twin.pid)
    twin.close()
    assert launcher.expect("exited", pid=twin.pid)["code"] == 0
    launcher.kill(worker)
    for one in (worker, other):
        one.close()


def test_a_kill_that_spares_nobody_takes_the_twin_too(launcher: Launcher) -> None:
    worker = launcher.fork()
    twin = worker.twin()
    launcher.kill(worker)
    assert not kernel.is_alive(twin.pid)
    worker.close()
    twin.close()


@pytest.mark.parametrize("whose", ["a neighbour", "the zygote", "the launcher"])
def test_a_number_that_is_somebody_elses_is_neither_adopted_nor_spared(launcher: Launcher, whose: str) -> None:
    worker, neighbour = launcher.fork(), launcher.fork()
    parent = int(worker.run("import os; os.getppid()").text)
    (zygote,) = [pid for pid in kernel.children(parent) if kernel.read(f"/proc/{pid}/comm") == b"replpool-zygote\n"]
    pid = {"a neighbour": neighbour.pid, "the zygote": zygote, "the launcher": parent}[whose]
    launcher.send("adopt", worker="forged", pid=pid, of=worker.id)
    assert not launcher.expect("adopted", worker="forged")["isOurs"]
    launcher.send("kill", worker="forged", pid=pid)
    launcher.expect("killed", worker="forged")
    launcher.kill(worker, spare=[pid])
    wait_until(lambda: not kernel.stat(worker.pid), "the worker is gone")
    assert neighbour.run("1 + 1").text == "2"
    launcher.kill(neighbour)
    for one in (worker, neighbour):
        one.close()


def test_a_daemon_of_a_neighbour_is_not_adopted(launcher: Launcher) -> None:
    worker, neighbour = launcher.fork(), launcher.fork()
    shell = "setsid sleep 60 >/dev/null & echo $!"
    pid = int(neighbour.run(f"import subprocess\nint(subprocess.check_output({shell!r}, shell=True))").text)
    launcher.send("adopt", worker="forged", pid=pid, of=worker.id)
    assert not launcher.expect("adopted", worker="forged")["isOurs"]
    launcher.send("kill", worker="forged", pid=pid)
    launcher.expect("killed", worker="forged")
    assert kernel.is_alive(pid)
    for one in (worker, neighbour):
        launcher.kill(one)
        one.close()
