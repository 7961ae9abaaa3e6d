"""Live copies of a session that go on as sessions of their own."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent import Launcher, Worker, wait_until
from replpool_worker import kernel

NUMBERS = itertools.count(1)


class Branching:
    """A worker and the branches that are made of it."""

    def __init__(self, launcher: Launcher) -> None:
        self.launcher = launcher
        self.worker = launcher.fork()
        self.branches: list[Worker] = []

    def freeze(self, count: int = 1) -> list[Worker]:
        """So many frozen branches."""
        made = self.worker.fork(*(f"branch-{next(NUMBERS)}" for _ in range(count)))
        self.branches += made
        return made

    def branch(self, count: int = 1, cwd: str = "/", former: str = "/nowhere") -> list[Worker]:
        """So many sessions."""
        return [self.launcher.branch(self.worker, one, cwd, former) for one in self.freeze(count)]


@pytest.fixture
def tree(launcher: Launcher) -> Iterator[Branching]:
    """A worker that branches."""
    made = Branching(launcher)
    yield made
    for worker in (made.worker, *made.branches):
        launcher.kill(worker)
        worker.close()


def value(worker: Worker, code: str) -> str:
    """Execute, and give the result's text; it must succeed."""
    run = worker.run(code)
    assert run.status == "ok", run.frames
    return "".join(str(frame["data"]["text/plain"]) for frame in run.frames if frame["type"] == "result")


def test_branches_begin_with_the_workers_state_and_go_their_own_ways(tree: Branching) -> None:
    value(tree.worker, "x = [1]\nclass C: n = 1")
    first, second = tree.branch(2)
    value(tree.worker, "x.append(0); C.n = 0")
    value(first, "x.append(1)")
    value(second, "C.n = 2")
    assert [value(one, "x, C.n") for one in (tree.worker, first, second)] == ["([1, 0], 0)", "([1, 1], 1)", "([1], 2)"]


def test_a_frozen_branch_answers_questions_with_the_state_of_the_fork(tree: Branching) -> None:
    value(tree.worker, "x = [1]")
    (frozen,) = tree.freeze()
    value(tree.worker, "x.append(2)")
    assert frozen.hello["capabilities"][-1] == "snapshot"
    (entry,) = frozen.ask("variables")["value"]["items"]
    assert entry["summary"] == "[1]"
    frozen.send("heartbeat")
    frozen.expect("heartbeat")


def test_a_branch_is_the_launchers_child_with_a_mark_of_its_own(tree: Branching) -> None:
    frozen = tree.freeze(3)
    for one in frozen:
        assert kernel.stat(one.pid)[1] == str(tree.launcher.process.pid)
        assert kernel.environment_value(one.pid, "REPLPOOL_WORKER") == one.id
        assert os.getsid(one.pid) == one.pid
    assert kernel.children(tree.worker.pid) == []
    session = tree.launcher.branch(tree.worker, frozen[0])
    assert value(session, "import os; os.environ['REPLPOOL_WORKER']") == repr(session.id)


def test_a_branch_outlives_its_worker_and_its_end_is_told(tree: Branching) -> None:
    value(tree.worker, "x = 5")
    (session,) = tree.branch()
    frozen = tree.freeze()
    tree.launcher.kill(tree.worker)
    assert value(session, "x") == "5"
    assert kernel.is_alive(frozen[0].pid)
    session.start("import os; os._exit(3)")
    assert tree.launcher.expect("exited", pid=session.pid)["code"] == 3


def test_a_worker_outlives_its_branch_and_what_that_started_ends_with_it(tree: Branching) -> None:
    (session,) = tree.branch()
    child = int(value(session, "import subprocess; p = subprocess.Popen(['setsid', 'sleep', '1000']); p.pid"))
    tree.launcher.kill(session)
    assert not kernel.is_alive(child)
    assert value(tree.worker, "1 + 1") == "2"


def test_branches_draw_random_numbers_of_their_own(tree: Branching) -> None:
    value(tree.worker, "import random; random.seed(1); random.gauss(0, 1)")
    sessions = [tree.worker, *tree.branch(2)]
    assert len({value(one, "random.getrandbits(64)") for one in sessions}) == 3


def test_each_writes_to_its_own_output_alone(tree: Branching) -> None:
    code = "print('out'); import sys, os; print('err', file=sys.stderr); x = os.system('echo child; echo C >&2')"
    value(tree.worker, "import os; kept = os.dup(1)")
    (session,) = tree.branch()
    for one in (session, tree.worker):
        run = one.run(code)
        assert (run.out, run.err) == (b"out\nchild\n", b"err\nC\n")
    # Also by descriptors that user code made of the former ones.
    assert session.run("x = os.write(kept, b'kept')").out == b"kept"
    assert tree.worker.run("1").out == b""


def test_the_workers_output_ends_with_it(tree: Branching) -> None:
    tree.branch(2)
    pipes = tree.worker.pipes
    tree.launcher.kill(tree.worker)
    assert [os.read(pipe, 100) for pipe in pipes] == [b"", b""]


def test_a_file_that_was_put_over_the_output_stays_there(tree: Branching, tmp_path: Path) -> None:
    path = tmp_path / "log"
    value(tree.worker, f"import os; f = os.open({str(path)!r}, os.O_WRONLY | os.O_CREAT); x = os.dup2(f, 1)")
    (session,) = tree.branch()
    assert session.run("print('logged')").out == b""
    assert path.read_text() == "logged\n"


def test_the_working_folder_moves(tree: Branching, tmp_path: Path) -> None:
    former, copy = tmp_path / "a", tmp_path / "b"
    for folder in (former, copy):
        (folder / "sub").mkdir(parents=True)
        (folder / "sub" / "which_of_them.py").write_text(f"NAME = {folder.name!r}")
    value(
        tree.worker,
        f"import os, sys; os.chdir({str(former / 'sub')!r}); os.environ['PWD'] = {str(former)!r}\n"
        f"sys.path += [{str(former / 'sub')!r}, {str(former) + 'else'!r}, 5]",
    )
    (session,) = tree.branch(cwd=str(copy), former=str(former))
    assert value(session, "os.getcwd(), os.environ['PWD']") == repr((str(copy / "sub"), str(copy)))
    assert value(session, "sys.path[-3:]") == repr([str(copy / "sub"), str(former) + "else", 5])
    assert value(session, "import which_of_them; which_of_them.NAME") == "'b'"
    assert value(tree.worker, "import which_of_them; which_of_them.NAME, os.getcwd()") == repr(
        ("a", str(former / "sub"))
    )


def test_who_left_the_working_folder_stays_where_it_is(tree: Branching, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    value(tree.worker, "import os; os.chdir('/usr'); os.environ['PWD'] = '/usr'")
    (session,) = tree.branch(cwd=str(tmp_path / "b"), former="/us")
    assert value(session, "os.getcwd(), os.environ['PWD']") == "('/usr', '/usr')"


def test_a_folder_that_the_copy_has_not_is_its_root(tree: Branching, tmp_path: Path) -> None:
    (tmp_path / "a" / "deep").mkdir(parents=True)
    (tmp_path / "b").mkdir()
    value(tree.worker, f"import os; os.chdir({str(tmp_path / 'a' / 'deep')!r})")
    (session,) = tree.branch(cwd=str(tmp_path / "b"), former=str(tmp_path / "a"))
    assert value(session, "os.getcwd()") == repr(str(tmp_path / "b"))


def test_background_tasks_and_timers_go_on_in_each(tree: Branching) -> None:
    value(
        tree.worker,
        "import asyncio, signal\nlog = []; got = []\nasync def fill():\n"
        "    while True:\n        log.append(1)\n        await asyncio.sleep(0.001)\n"
        "task = asyncio.create_task(fill()); await asyncio.sleep(0)\n"
        "h = signal.signal(signal.SIGALRM, lambda *_: got.append(1)); t = signal.setitimer(signal.ITIMER_REAL, 50, 7)",
    )
    (session,) = tree.branch()
    for one in (session, tree.worker):
        value(one, "n = len(log)\nwhile len(log) < n + 5: await asyncio.sleep(0.001)")
        assert 20 < float(value(one, "signal.getitimer(signal.ITIMER_REAL)[0]")) <= 50


def test_a_branch_is_a_worker_as_any_other(tree: Branching) -> None:
    (session,) = tree.branch()
    execution = session.start("input('name? ')")
    request = session.expect("input_request", prompt="name? ")["request"]
    session.send("input_reply", request=request, value="Ada")
    assert session.finish(execution).text == "'Ada'"
    execution = session.start("while True: pass")
    session.expect("started", execution=execution)
    session.send("interrupt", execution=execution)
    assert session.finish(execution).status == "interrupted"
    execution = session.start("def stuck():\n    display('stuck')\n    while True: pass\nstuck()")
    session.expect("display")
    tree.launcher.send("stacks", worker=session.id, pid=session.pid)
    assert "in stuck" in tree.launcher.expect("stacks", worker=session.id)["text"]
    session.send("interrupt", execution=execution)
    session.finish(execution)
    twin = session.twin()
    session.run("x = 5")
    tree.branches[0] = tree.launcher.resume(session, twin)
    assert value(twin, "'x' in globals()") == "False"


def test_a_branch_may_branch(tree: Branching) -> None:
    value(tree.worker, "x = [1]")
    (session,) = tree.branch()
    value(session, "x.append(2)")
    former, tree.worker = tree.worker, session
    tree.branches.append(former)
    (grandchild,) = tree.branch()
    assert value(grandchild, "x") == "[1, 2]"
    tree.branches.remove(session)


def held(pid: int) -> tuple[int, int, int]:
    """File descriptors, threads and children."""
    return len(os.listdir(f"/proc/{pid}/fd")), len(os.listdir(f"/proc/{pid}/task")), len(kernel.children(pid))


def test_a_branch_holds_what_a_worker_holds(tree: Branching) -> None:
    value(tree.worker, "1")
    before = held(tree.worker.pid)
    (session,) = tree.branch()
    assert held(tree.worker.pid) == before
    value(session, "1")
    assert held(session.pid) == before

    # None of its descriptors is one of the worker's own.
    def files(pid: int) -> set[str]:
        return {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")} - {"/dev/null"}

    assert not files(session.pid) & files(tree.worker.pid)


@pytest.mark.parametrize("how", ["close", "shutdown", "refused"])
def test_a_frozen_branch_ends_with_its_connection(tree: Branching, how: str) -> None:
    (frozen,) = tree.freeze()
    tree.branches.remove(frozen)
    if how == "close":
        frozen.close()
    else:
        frozen.send("shutdown" if how == "shutdown" else "nonsense")
    assert tree.launcher.expect("exited", pid=frozen.pid)["code"] == (70 if how == "refused" else 0)
    if how != "close":
        frozen.close()


@pytest.mark.parametrize("missing", ["directory", "reader", "cwd", "field"])
def test_a_branch_that_cannot_go_on_ends(tree: Branching, tmp_path: Path, missing: str) -> None:
    (frozen,) = tree.freeze()
    directory = tmp_path / "d"
    directory.mkdir()
    ends = []
    for name in ("out", "err") if missing != "directory" else ():
        os.mkfifo(directory / name)
        if missing != "reader":
            ends.append(os.open(directory / name, os.O_RDONLY | os.O_NONBLOCK))
    value(tree.worker, "import os; os.chdir('/')")
    told = {"session": "s", "directory": str(directory), "cwd": str(tmp_path / "none"), "formerCwd": os.getcwd()}
    if missing == "field":
        del told["directory"]
    frozen.send("resume", branch=told)
    assert tree.launcher.expect("exited", pid=frozen.pid)["code"] == 70
    for end in ends:
        os.close(end)


HOOKS = {
    "hangs in the branch": ("after_in_child=lambda: os.getppid() != worker and time.sleep(600)", "more than"),
    "hangs in the stem": ("after_in_child=lambda: os.getppid() == worker and time.sleep(600)", "more than"),
    "hangs before the branch": ("before=lambda: os.getpid() != worker and time.sleep(600)", "more than"),
    "hangs behind the branch": ("after_in_parent=lambda: os.getpid() != worker and time.sleep(600)", "more than"),
    "ends the branch": ("after_in_child=lambda: os.getppid() != worker and os._exit(1)", "ended in a hook"),
    "ends the stem": ("after_in_child=lambda: os.getppid() == worker and os._exit(1)", "ended in a hook"),
    "closes all files": ("after_in_child=lambda: os.closerange(3, 1000)", "ended in a hook"),
}


@pytest.fixture(scope="module")
def impatient(launcher: Launcher) -> Iterator[str]:
    """A zygote whose workers wait for hooks half a second."""
    code = "import replpool_worker.stem; replpool_worker.stem.STEM_SECONDS = 0.5"
    launcher.start_zygote("impatient", warmupCode=code)
    yield "impatient"
    launcher.stop_zygote("impatient")


@pytest.mark.parametrize("kind", HOOKS)
def test_where_a_hook_of_the_users_hangs_or_ends_a_process_nothing_stays(
    tree: Branching, kind: str, impatient: str
) -> None:
    tree.branches.append(tree.worker)
    tree.worker = tree.launcher.fork(impatient)
    hook, named = HOOKS[kind]
    value(tree.worker, f"import os, time; worker = os.getpid(); os.register_at_fork({hook})")
    before = kernel.descendants(tree.launcher.process.pid)
    branches = [{"branch": f"lost-{number}", "token": "t"} for number in range(2)]
    problem = tree.worker.ask("fork", branches=branches, socket="/nowhere")
    assert problem["code"] == "FORK_UNSAFE", problem
    assert named in problem["message"]
    wait_until(lambda: kernel.descendants(tree.launcher.process.pid) == before, "a process is left")
    assert value(tree.worker, "1 + 1") == "2"


def test_a_hook_that_fails_disturbs_no_branch(tree: Branching) -> None:
    value(tree.worker, "import os; x = 1; os.register_at_fork(before=lambda: 1 / 0, after_in_child=lambda: 1 / 0)")
    assert value(tree.branch()[0], "x") == "1"


def test_a_thread_forbids_a_branch(tree: Branching) -> None:
    value(
        tree.worker,
        "import ctypes\nc = ctypes.CDLL(None)\np = ctypes.c_ulong()\n"
        "x = c.pthread_create(ctypes.byref(p), None, ctypes.cast(c.sleep, ctypes.c_void_p), ctypes.c_void_p(1000))",
    )
    before = kernel.descendants(tree.launcher.process.pid)
    problem = tree.worker.ask("fork", branches=[{"branch": "b", "token": "t"}], socket="/nowhere")
    assert (problem["code"], "native thread" in problem["message"]) == ("FORK_UNSAFE", True)
    wait_until(lambda: kernel.descendants(tree.launcher.process.pid) == before, "a process is left")


def test_a_limit_on_processes_is_told_and_nothing_stays(tree: Branching) -> None:
    # It does not hold for root.
    value(tree.worker, "import os, resource\nif os.getuid() == 0: os.setuid(65534)")
    value(tree.worker, "resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))")
    problem = tree.worker.ask("fork", branches=[{"branch": "b", "token": "t"}], socket="/nowhere")
    assert problem["message"] == "the fork failed: Resource temporarily unavailable"
    assert value(tree.worker, "1 + 1") == "2"


def test_many_branches_leave_nothing_in_the_worker(tree: Branching) -> None:
    value(tree.worker, "x = 1")
    before = held(tree.worker.pid)
    for _ in range(20):
        for frozen in tree.worker.fork("a", "b"):
            frozen.close()
    assert held(tree.worker.pid) == before


@pytest.mark.parametrize(
    "fields",
    [{"branches": []}, {"branches": None}, {"branches": [5]}, {"branches": [{"branch": "b"}]}, {"socket": 5}],
)
def test_a_fork_that_is_none_breaks_the_protocol(launcher: Launcher, fields: dict[str, object]) -> None:
    worker = launcher.fork()
    told = {"request": "r", "branches": [{"branch": "b", "token": "t"}], "socket": "/nowhere", **fields}
    worker.send("fork", **told)
    assert launcher.expect("exited", pid=worker.pid)["code"] == 70
    worker.close()


@pytest.mark.parametrize("whose", ["a neighbour", "nobody"])
def test_a_number_that_is_none_of_a_branch_is_not_adopted(tree: Branching, tmp_path: Path, whose: str) -> None:
    (frozen,) = tree.freeze()
    frozen.send("shutdown")
    assert tree.launcher.expect("exited", pid=frozen.pid)["code"] == 0
    neighbour = tree.launcher.fork()
    tree.branches.append(neighbour)
    pid = frozen.pid if whose == "nobody" else neighbour.pid
    tree.launcher.send("adopt", worker="forged", pid=pid, of=tree.worker.id, directory=str(tmp_path))
    assert not tree.launcher.expect("adopted", worker="forged")["isOurs"]
    tree.launcher.send("kill", worker="forged", pid=pid)
    tree.launcher.expect("killed", worker="forged")
    assert list(tmp_path.iterdir()) == []
    assert value(neighbour, "1 + 1") == "2"


def test_nothing_of_the_stem_is_seen_by_user_code(tree: Branching) -> None:
    value(tree.worker, "import os, signal; seen = []; h = signal.signal(signal.SIGCHLD, lambda *_: seen.append(1))")
    sessions = tree.branch(3)
    for one in (tree.worker, *sessions):
        value(one, "import time; time.sleep(0)")
        assert value(one, "seen") == "[]"
        assert one.run("os.wait()").error["name"] == "ChildProcessError"
