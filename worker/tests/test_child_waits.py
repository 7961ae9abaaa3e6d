"""os.wait and its like in a session that has a twin, which user code did not start."""

import errno
import os

import pytest

from agent import Worker, wait_until
from replpool_worker import kernel

START = "import os\ndef child(code):\n    pid = os.fork()\n    if pid == 0: os._exit(code)\n    return pid"
WAITS = {
    "os.wait()": "{pid}, {status}",
    "os.waitpid(-1, 0)": "{pid}, {status}",
    "os.wait3(0)[:2]": "{pid}, {status}",
    "os.wait4(-1, 0)[:2]": "{pid}, {status}",
    "(lambda r: (r.si_pid, r.si_status << 8))(os.waitid(os.P_ALL, 0, os.WEXITED))": "{pid}, {status}",
}
NONE = f"try: {{}}\nexcept ChildProcessError as e: code = e.errno\ncode == {errno.ECHILD}"


@pytest.mark.parametrize("wait", WAITS)
def test_a_wait_finds_a_real_child_and_no_twin(worker: Worker, wait: str) -> None:
    worker.run(START)
    twin = worker.twin()
    assert worker.run(NONE.format(wait)).text == "True"
    pid = int(worker.run("pid = child(3); pid").text)
    assert worker.run(wait).text == f"({pid}, {3 << 8})"
    # Ended, and not told of yet.
    os.close(twin.fds[0])
    wait_until(lambda: not kernel.is_alive(twin.pid), "the twin lives")
    assert worker.run(NONE.format(wait)).text == "True"


def test_a_wait_without_blocking_says_that_the_child_runs(worker: Worker) -> None:
    worker.run("import os, subprocess; p = subprocess.Popen(['sleep', '100'])")
    twin = worker.twin()
    assert worker.run("os.waitpid(-1, os.WNOHANG)").text == "(0, 0)"
    assert worker.run("os.wait3(os.WNOHANG)[:2]").text == "(0, 0)"
    assert worker.run("os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG) is None").text == "True"
    assert worker.run("p.kill(); p.wait()").text == "-9"
    twin.close()


def test_a_wait_blocks_until_a_child_ends_and_may_be_interrupted(worker: Worker) -> None:
    worker.run("import os, subprocess; p = subprocess.Popen(['sleep', '0.1'])")
    twin = worker.twin()
    assert worker.run("os.wait() == (p.pid, 0)").text == "True"
    worker.run("p = subprocess.Popen(['sleep', '100'])")
    execution = worker.start("os.wait()")
    worker.expect("started", execution=execution)
    worker.send("interrupt", execution=execution)
    assert worker.finish(execution).status == "interrupted"
    twin.close()


def test_who_names_a_child_waits_as_ever(worker: Worker) -> None:
    worker.run(START)
    twin = worker.twin()
    assert worker.run("pid = child(4); os.waitpid(pid, 0) == (pid, 4 << 8)").text == "True"
    assert worker.run("import subprocess; subprocess.run('exit 5', shell=True).returncode").text == "5"
    assert worker.run(f"os.waitpid({twin.pid}, os.WNOHANG)").text == "(0, 0)"
    twin.close()


def test_a_twin_that_user_code_reaped_by_force_is_forgotten(worker: Worker) -> None:
    worker.run("import os")
    twin = worker.twin()
    assert worker.run(f"os.kill({twin.pid}, 9); os.waitpid({twin.pid}, 0)").text == f"({twin.pid}, 9)"
    worker.send("discard", snapshot=twin.id)
    assert worker.run(NONE.format("os.wait()")).text == "True"


def test_a_child_of_the_users_has_no_twins(worker: Worker) -> None:
    worker.run(START)
    twin = worker.twin()
    code = (
        "pid = os.fork()\nif pid == 0:\n    child(1)\n    os._exit(os.wait()[1] >> 8)\n"
        "os.waitpid(pid, 0) == (pid, 1 << 8)"
    )
    assert worker.run(code).text == "True"
    twin.close()


def test_the_functions_keep_their_names(worker: Worker) -> None:
    worker.run("import os, posix")
    assert worker.run("os.waitpid is posix.waitpid, os.waitpid.__name__, os.wait.__module__").text == (
        "(True, 'waitpid', 'posix')"
    )
