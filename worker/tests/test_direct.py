"""A worker started directly: on given file descriptors, or on stdin and stdout."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from agent import Peer, Worker, environment

COMMAND = [sys.executable, "-m", "replpool_worker"]


@pytest.fixture
def stdio() -> Iterator[Worker]:
    """A worker on stdin and stdout."""
    process = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment())
    assert process.stdin is not None
    assert process.stdout is not None
    worker = Worker(process.stdout.fileno(), [], "stdio", process.pid, process.stdin.fileno())
    worker.hello = worker.greet()
    worker.expect("ready")
    yield worker
    process.stdin.close()
    assert process.wait(10) == 0
    process.stdout.close()


def start_on_fds() -> tuple[subprocess.Popen[bytes], socket.socket]:
    """A worker on one end of a socketpair, its fds 1 and 2 pipes."""
    ours, theirs = socket.socketpair()
    fd = theirs.fileno()
    process = subprocess.Popen(
        COMMAND,
        pass_fds=[fd],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(PYREPL_PROTOCOL_FDS=f"{fd},{fd}"),
    )
    theirs.close()
    return process, ours


def test_a_worker_on_given_fds(tmp_path: object) -> None:
    process, ours = start_on_fds()
    with process, ours:
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        worker = Worker(ours.fileno(), [process.stdout.fileno()], "fds", process.pid)
        assert worker.greet("json")["transport"] == "fds"
        worker.expect("ready")
        run = worker.run("print('out'); {'a': b'x'}")
        assert run.out == b"out\n"
        assert run.text == "{'a': b'x'}"
        worker.send("shutdown")
        assert process.wait(10) == 0


@pytest.mark.parametrize(
    "answer",
    [
        {"type": "refused", "code": "NO_COMMON_VERSION", "message": "this agent speaks 7"},
        {"type": "hello", "protocol": 2, "codec": "msgpack"},
        {"type": "hello", "protocol": 1, "codec": "cbor"},
    ],
)
def test_a_refused_worker_exits_with_76_and_says_why(answer: dict[str, object]) -> None:
    process, ours = start_on_fds()
    with process, ours:
        Peer(ours.fileno(), ours.fileno()).greet(answer=answer)
        assert process.wait(10) == 76
        assert process.stderr is not None
        text = process.stderr.read()
        assert b"this agent speaks 7" in text or b"no common" in text


def test_stdio_keeps_the_users_output_apart(stdio: Worker) -> None:
    assert stdio.hello["transport"] == "stdio"
    run = stdio.run(
        "import os, subprocess\nprint('a')\nos.write(1, b'b\\xff')\nsubprocess.run('echo c; echo d >&2', shell=True); 5"
    )
    assert run.out == b"a\nb\xffc\n"
    assert run.err == b"d\n"
    assert run.text == "5"
    assert all(frame["execution"] == "e1" for frame in run.frames if frame["type"] == "stdout")


def test_stdio_carries_a_flood(stdio: Worker) -> None:
    run = stdio.run("for i in range(200): print('x' * 99_999)")
    assert len(run.out) == 200 * 100_000
    assert stdio.run("import os; os.read(0, 1), open(0, closefd=False).read()").text == "(b'', '')"


def test_no_agent_is_no_hang() -> None:
    done = subprocess.run(
        COMMAND, stdin=subprocess.DEVNULL, capture_output=True, env=environment(), timeout=20, check=False
    )
    assert done.returncode == 76
    usage = subprocess.run([*COMMAND, "nonsense"], capture_output=True, env=environment(), timeout=20, check=False)
    assert usage.returncode == 64
