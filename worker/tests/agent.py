"""A small agent for the tests: a Unix socket, two FIFOs, and the frames of docs/worker-protocol.md."""

import fcntl
import itertools
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from replpool_worker.frames import HEADER, Message, decode, encode

SOURCES = Path(__file__).resolve().parent.parent / "src"
TIMEOUT = 20.0


def environment(**extra: str) -> dict[str, str]:
    """The environment of a started part: ours, without the protocol's variable."""
    kept = {key: value for key, value in os.environ.items() if key != "PYREPL_PROTOCOL_FDS"}
    return kept | {"PYTHONPATH": str(SOURCES), **extra}


class Peer:
    """The agent's end of one connection."""

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self.fds = (read_fd, write_fd)
        self.codec = "json"
        self.buffer = b""
        self.sent = 0
        self.received = 0
        self.backlog: list[Message] = []

    def raw(self, timeout: float = TIMEOUT) -> Message:
        """The next message as it comes. Raises TimeoutError and EOFError."""
        deadline = time.monotonic() + timeout
        while True:
            if len(self.buffer) >= 4:
                (length,) = HEADER.unpack_from(self.buffer)
                if len(self.buffer) >= 4 + length:
                    body, self.buffer = self.buffer[4 : 4 + length], self.buffer[4 + length :]
                    return decode(body, self.codec)
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.fds[0]], [], [], left)[0]:
                raise TimeoutError("no frame came")
            data = os.read(self.fds[0], 1 << 20)
            if not data:
                raise EOFError
            self.buffer += data

    def greet(self, codec: str = "msgpack", answer: Message | None = None) -> Message:
        """Take the hello and answer it. Returns the hello."""
        hello = self.raw()
        os.write(self.fds[1], encode(answer or {"type": "hello", "protocol": 1, "codec": codec}, "json"))
        self.codec = codec
        return hello

    def send(self, kind: str, **fields: Any) -> None:
        """Send one numbered message."""
        self.sent += 1
        message = {"type": kind, **fields, "n": self.sent, "ack": self.received}
        data = encode(message, self.codec)
        while data:
            data = data[os.write(self.fds[1], data) :]

    def receive(self, timeout: float = TIMEOUT) -> Message:
        """The next message; its number must be the next one."""
        message = self.raw(timeout)
        assert message["n"] == self.received + 1, message
        assert message["ack"] <= self.sent
        self.received += 1
        return message

    def expect(self, kind: str, **fields: Any) -> Message:
        """The next message of that type and with these fields; others are kept for later."""

        def fits(message: Message) -> bool:
            return message["type"] == kind and all(message.get(key) == value for key, value in fields.items())

        for message in self.backlog:
            if fits(message):
                self.backlog.remove(message)
                return message
        while True:
            message = self.receive()
            if fits(message):
                return message
            self.backlog.append(message)


class Launcher(Peer):
    """A launcher process, of this interpreter or another."""

    def __init__(self, python: str = sys.executable) -> None:
        ours, theirs = socket.socketpair()
        fd = theirs.fileno()
        self.process = subprocess.Popen(
            [python, "-m", "replpool_worker", "launcher"],
            pass_fds=[fd],
            env=environment(PYREPL_PROTOCOL_FDS=f"{fd},{fd}"),
        )
        theirs.close()
        self.socket = ours
        super().__init__(ours.fileno(), ours.fileno())
        self.hello = self.greet()
        self.folder = tempfile.TemporaryDirectory()
        self.numbers = itertools.count(1)

    def start_zygote(self, name: str = "z", **fields: Any) -> Message:
        """Warm a zygote; returns its zygote_ready."""
        self.send("zygote_start", **{"zygote": name, "preload": [], "warmupCode": "", "env": {}, "cpu": 1, **fields})
        return self.expect("zygote_ready", zygote=name)

    def stop_zygote(self, name: str) -> None:
        """End a zygote, and wait for it."""
        self.send("zygote_stop", zygote=name)
        self.expect("zygote_exited", zygote=name)

    def fork(self, zygote: str = "z", codec: str = "msgpack") -> "Worker":
        """A forked worker, ready."""
        worker = f"worker-{next(self.numbers)}"
        directory = Path(self.folder.name, worker)
        directory.mkdir()
        path = str(directory / "socket")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen()
            self.send("fork", zygote=zygote, worker=worker, socket=path, token="secret", directory=str(directory))
            forked = self.expect("forked", worker=worker)
            listener.settimeout(TIMEOUT)
            connection, _ = listener.accept()
        pipes = [os.open(directory / name, os.O_RDONLY | os.O_NONBLOCK) for name in ("out", "err")]
        made = Worker(connection.detach(), pipes, worker, forked["pid"])
        made.hello = made.greet(codec)
        made.expect("ready")
        return made

    def kill(self, worker: "Worker", **fields: Any) -> None:
        """Kill a worker with all that is its own, and wait until nothing is left."""
        self.send("kill", worker=worker.id, pid=worker.pid, **fields)
        self.expect("killed", worker=worker.id)

    def resume(self, worker: "Worker", twin: "Worker") -> "Worker":
        """End the worker and have its twin take its place, as an agent does."""
        self.send("adopt", worker=twin.id, pid=twin.pid, of=worker.id)
        assert self.expect("adopted", worker=twin.id)["isOurs"]
        self.kill(worker, spare=[twin.pid])
        os.close(worker.fds[0])
        twin.pipes, worker.pipes = worker.pipes, []
        twin.count = worker.count
        twin.send("resume")
        twin.expect("ready")
        return twin

    def branch(self, worker: "Worker", frozen: "Worker", cwd: str = "/", former: str = "/nowhere") -> "Worker":
        """Make a frozen branch of the worker a session of its own, as an agent does."""
        directory = Path(self.folder.name, frozen.id)
        directory.mkdir()
        self.send("adopt", worker=frozen.id, pid=frozen.pid, of=worker.id, directory=str(directory))
        assert self.expect("adopted", worker=frozen.id)["isOurs"]
        frozen.pipes += [os.open(directory / name, os.O_RDONLY | os.O_NONBLOCK) for name in ("out", "err")]
        told = {"session": "s", "directory": str(directory), "cwd": cwd, "formerCwd": former}
        frozen.count = worker.count
        frozen.send("resume", branch=told)
        frozen.expect("ready")
        return frozen

    def close(self) -> int:
        """Close our end. Returns the launcher's exit code when it has ended."""
        self.socket.close()
        try:
            code = self.process.wait(TIMEOUT)
        finally:
            self.process.kill()
            self.process.wait()
            self.folder.cleanup()
        return code


class Run:
    """What came of one execution."""

    def __init__(self) -> None:
        self.frames: list[Message] = []
        self.out = b""
        self.err = b""

    def one(self, kind: str) -> Message:
        """The only frame of that type."""
        (frame,) = [frame for frame in self.frames if frame["type"] == kind]
        return frame

    @property
    def status(self) -> str:
        """Status of `finished`."""
        status: str = self.one("finished")["status"]
        return status

    @property
    def text(self) -> str:
        """text/plain of the result."""
        text: str = self.one("result")["data"]["text/plain"]
        return text

    @property
    def error(self) -> dict[str, Any]:
        """The error."""
        error: dict[str, Any] = self.one("error")["error"]
        return error

    @property
    def traceback(self) -> str:
        """The traceback in one text."""
        return "".join(self.error["traceback"])


class Worker(Peer):
    """The agent's end of one worker: socket and, unless it speaks on stdio, the pipes of its fds 1 and 2."""

    def __init__(self, fd: int, pipes: list[int], worker: str, pid: int, write_fd: int | None = None) -> None:
        super().__init__(fd, fd if write_fd is None else write_fd)
        self.pipes = pipes
        self.id = worker
        self.pid = pid
        self.hello: Message = {}
        self.count = 0
        self.snapshots = 0
        # Of a twin: what the snapshot cost, in ms.
        self.cost = 0.0

    def start(self, code: str, **fields: Any) -> str:
        """Send an execute. Returns its id."""
        self.count += 1
        execution = f"e{self.count}"
        self.send("execute", execution=execution, code=code, silent=False, executionCount=self.count, **fields)
        return execution

    def drain(self, run: Run, hints: list[int]) -> None:
        """Read the pipes as the frame's `pipes` tells."""
        for index, hint in enumerate(hints):
            if hint and self.pipes:
                data = b""
                while True:
                    try:
                        piece = os.read(self.pipes[index], 1 << 20)
                    except BlockingIOError:
                        break
                    if not piece:
                        break
                    data += piece
                if index == 0:
                    run.out += data
                else:
                    run.err += data

    def finish(self, execution: str, on: Callable[[Message], None] | None = None, timeout: float = TIMEOUT) -> Run:
        """Take frames until the execution's `finished`."""
        run = Run()
        while True:
            message = self.receive(timeout)
            run.frames.append(message)
            self.drain(run, message.get("pipes") or [])
            if message["type"] == "stdout":
                run.out += message["data"]
            if message["type"] == "stderr":
                run.err += message["data"]
            if on is not None:
                on(message)
            if message["type"] == "finished":
                assert message["execution"] == execution
                return run

    def run(self, code: str, on: Callable[[Message], None] | None = None, **fields: Any) -> Run:
        """Execute and wait for the end."""
        return self.finish(self.start(code, **fields), on)

    def run_interrupted(self, code: str) -> Run:
        """Execute, interrupt it once it has begun, and wait for the end."""
        execution = self.start(code)
        sent = False

        def interrupt(_: object) -> None:
            nonlocal sent
            if not sent:
                sent = True
                # Into the midst of it where the machine is quick; right at any other time.
                time.sleep(0.05)
                self.send("interrupt", execution=execution)

        return self.finish(execution, interrupt)

    def ask(self, kind: str, **fields: Any) -> Message:
        """A request and its `reply` or `problem`."""
        self.send(kind, request="r", **fields)
        while True:
            message = self.receive()
            if message["type"] in ("reply", "problem"):
                return message

    def snapshot(self, kinds: Sequence[str] = ("fork",), path: str = "", **fields: Any) -> Message:
        """Ask for a snapshot `s1`, `s2` and so on, and take the answer."""
        self.snapshots += 1
        snapshot = fields.pop("snapshot", f"{self.id}.{self.snapshots}")
        asked = {
            "snapshot": snapshot,
            "kinds": list(kinds),
            "socket": path,
            "token": "t",
            "maxBytes": 1 << 20,
            **fields,
        }
        return self.ask("snapshot", **asked) | {"snapshot": snapshot}

    def twin(self) -> "Worker":
        """A frozen twin, which was greeted."""
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
            path = str(Path(folder, "socket"))
            listener.bind(path)
            listener.listen()
            answer = self.snapshot(path=path)
            assert answer["type"] == "reply", answer
            assert answer["value"]["kind"] == "fork", answer
            listener.settimeout(TIMEOUT)
            connection, _ = listener.accept()
        made = Worker(connection.detach(), [], answer["snapshot"], answer["value"]["pid"])
        made.hello = made.greet()
        made.cost = answer["value"]["costMs"]
        return made

    def fork(self, *branches: str) -> list["Worker"]:
        """Frozen branches by these ids, which were greeted."""
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
            path = str(Path(folder, "socket"))
            listener.bind(path)
            listener.listen(len(branches))
            answer = self.ask("fork", branches=[{"branch": one, "token": one} for one in branches], socket=path)
            assert answer["type"] == "reply", answer
            listener.settimeout(TIMEOUT)
            made = {}
            for _ in branches:
                connection, _ = listener.accept()
                branch = Worker(connection.detach(), [], "", 0)
                branch.hello = branch.greet()
                branch.id, branch.pid = branch.hello["token"], branch.hello["pid"]
                branch.cost = answer["value"]["costMs"]
                made[branch.id] = branch
        assert [made[one].pid for one in branches] == answer["value"]["pids"]
        return [made[one] for one in branches]

    def close(self) -> None:
        """Close everything of ours."""
        for fd in {*self.fds, *self.pipes}:
            os.close(fd)


def wait_until(true: Callable[[], bool], what: str) -> None:
    """Wait for something outside the protocol. Raises AssertionError after 10 s."""
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def widen(fd: int) -> None:
    """A pipe of 1 MiB."""
    fcntl.fcntl(fd, 1031, 1 << 20)
