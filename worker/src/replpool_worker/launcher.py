"""The launcher: subreaper of one agent's zygotes and workers. Runs no user code.

It starts zygotes by exec, passes fork requests on, reaps every child, reports how each ended, and kills on request.
When the agent is gone (end of file) or on SIGTERM, it kills every descendant and exits.
"""

import os
import select
import signal
import sys
import time
from typing import Any

from . import EX_SOFTWARE, PROTOCOL_FDS, WORKER_MARKER, kernel
from .connection import Connection, Refused, hello, leave, protocol_fds
from .frames import Message, ProtocolError
from .reaping import Kill, exit_status, kill_all_descendants
from .shortening import shorten
from .signals import WAKE
from .stack_reader import StackReader
from .tracebacks import describe
from .zygote_handle import ZygoteHandle

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
# Long enough for a worker's id: the fork overwrites it in place (kernel.overwrite_environment).
MARKER_ROOM = "-" * 80


class Launcher:
    """The state: zygotes by name and pid, living workers, kills under way."""

    def __init__(self, agent: Connection) -> None:
        self._agent = agent
        self._zygotes: dict[str, ZygoteHandle] = {}
        self._workers: dict[int, str] = {}
        # An exit may be reaped before the zygote's `forked` is read; then the pid must not be taken for alive.
        self._reaped_unknown: set[int] = set()
        self._forks_waiting = 0
        self._kills: list[Kill] = []
        self._stacks = StackReader()
        self._running = True

    def run(self) -> None:
        """Serve until the agent says shutdown, closes, or SIGTERM comes; then end all descendants."""
        wake_read, wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self._stop())
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        agent_fd = self._agent.fds[0]
        try:
            # The hello may have come in one piece with frames behind it, which poll() does not see.
            if self._agent.has_frame():
                self._from_agent()
            while self._running:
                poll = select.poll()
                for fd in (agent_fd, wake_read):
                    poll.register(fd, select.POLLIN)
                for zygote in self._zygotes.values():
                    if zygote.open:
                        poll.register(zygote.fd, zygote.awaited)
                ready = {fd for fd, _ in poll.poll(self._stacks.register(poll))}
                if wake_read in ready:
                    os.read(wake_read, 4096)
                for zygote in list(self._zygotes.values()):
                    if zygote.open and zygote.fd in ready:
                        zygote.flush()
                        self._from_zygote(zygote)
                for worker, text in self._stacks.collect():
                    self._agent.send({"type": "stacks", "worker": worker, "text": text})
                self._reap()
                if agent_fd in ready:
                    self._from_agent()
        finally:
            kill_all_descendants()

    def _stop(self) -> None:
        self._running = False

    def _from_agent(self) -> None:
        while True:
            try:
                message = self._agent.receive()
            except EOFError:
                self._stop()
                return
            try:
                self._obey(message)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise ProtocolError(f"a {message['type']!r} that is none: {type(error).__name__}: {error}") from error
            if not self._running or not self._agent.has_frame():
                return

    def _obey(self, message: Message) -> None:
        kind = message["type"]
        if kind == "zygote_start":
            self._start_zygote(message)
        elif kind == "zygote_stop":
            zygote = self._zygotes.get(message["zygote"])
            if zygote:
                kernel.signal(zygote.pid, signal.SIGKILL)
        elif kind == "fork":
            self._fork(message)
        elif kind == "kill":
            ended = int(message["pid"])
            # Below the launcher and its parents are all others too.
            spare = {pid for pid in map(int, message.get("spare") or []) if _parent(pid) in (os.getpid(), ended)}
            self._kill(str(message["worker"]), ended, frozenset(spare))
        elif kind == "adopt":
            worker, pid, directory = str(message["worker"]), int(message["pid"]), message.get("directory")
            is_ours = self._adopt(worker, pid, str(message["of"]), directory)
            self._agent.send({"type": "adopted", "worker": worker, "pid": pid, "isOurs": is_ours})
        elif kind == "wake":
            self._wake(str(message["worker"]), int(message["pid"]))
        elif kind == "stacks":
            self._ask_stacks(str(message["worker"]), int(message["pid"]))
        elif kind == "shutdown":
            self._stop()
        else:
            raise ProtocolError(f"the launcher knows no {kind!r}")

    def _start_zygote(self, message: Message) -> None:
        name = str(message["zygote"])
        if name in self._zygotes:
            raise ProtocolError(f"zygote {name!r} is running")
        threads = str(max(1, int(-(-float(message.get("cpu") or 1) // 1))))
        environment = {key: value for key, value in os.environ.items() if key != PROTOCOL_FDS}
        environment.update(dict.fromkeys(THREAD_VARIABLES, threads))
        environment.update({str(key): str(value) for key, value in (message.get("env") or {}).items()})
        environment[WORKER_MARKER] = MARKER_ROOM
        preload, code = list(message.get("preload") or []), message.get("warmupCode") or ""
        try:
            zygote = ZygoteHandle(name, environment)
        except (OSError, ValueError) as error:
            # No process or memory left, or a variable that no environment can hold.
            self._agent.send({"type": "zygote_failed", "zygote": name, "error": describe(error)})
            return
        self._zygotes[name] = zygote
        zygote.send({"preload": preload, "warmupCode": code})

    def _fork(self, message: Message) -> None:
        worker = str(message["worker"])
        zygote = self._zygotes.get(str(message["zygote"]))
        if zygote is None or not zygote.ready:
            why = "is not running" if zygote is None else "is still warming"
            text = f"zygote {message['zygote']!r} {why}"
            self._agent.send({"type": "fork_failed", "worker": worker, "message": text})
            return
        request = {"worker": worker} | {key: str(message[key]) for key in ("socket", "token", "directory")}
        self._stacks.prepare(worker, request["directory"])
        zygote.forking.append(worker)
        self._forks_waiting += 1
        zygote.send(request)

    def _from_zygote(self, zygote: ZygoteHandle) -> None:
        for message in zygote.receive():
            try:
                self._hear(zygote, message)
            except (KeyError, TypeError, ValueError) as error:
                # Code of the template's author wrote it; that zygote alone pays.
                zygote.give_up(f"it said what no zygote says: {type(error).__name__}: {error}")

    def _hear(self, zygote: ZygoteHandle, message: Message) -> None:
        kind = message["type"]
        is_warming = not zygote.ready and not zygote.failed
        if kind == "ready" and is_warming:
            zygote.ready = True
            duration = round((time.monotonic() - zygote.started) * 1000, 3)
            text = {"type": "zygote_ready", "zygote": zygote.name, "pid": zygote.pid, "durationMs": duration}
            self._agent.send(text)
        elif kind == "failed" and is_warming:
            given = message["error"]
            lines = [str(line) for line in given["traceback"]]
            failure = {"name": str(given["name"]), "message": str(given["message"]), "traceback": lines}
            zygote.failed = True
            told = {"type": "zygote_failed", "zygote": zygote.name, "error": failure}
            shorten(told)
            self._agent.send(told)
        elif kind == "forked":
            pid = int(message["pid"])
            zygote.forking.remove(message["worker"])
            self._forks_waiting -= 1
            if pid not in self._reaped_unknown:
                self._workers[pid] = message["worker"]
            else:
                self._forget_stacks(message["worker"])
            self._agent.send({"type": "forked", "worker": message["worker"], "pid": pid})
        elif kind == "fork_failed":
            number = {"errno": int(message["errno"])} if "errno" in message else {}
            text = {
                "type": "fork_failed",
                "worker": message["worker"],
                "message": str(message["message"])[:1000],
                **number,
            }
            zygote.forking.remove(message["worker"])
            self._forks_waiting -= 1
            self._forget_stacks(message["worker"])
            self._agent.send(text)
        else:
            raise ValueError(f"{kind!r}")

    def _kill(self, worker: str, pid: int, spare: frozenset[int]) -> None:
        self._kills.append(Kill(worker, pid, spare))
        self._advance_kills()

    def _adopt(self, worker: str, pid: int, of: str, directory: str | None) -> bool:
        """A twin of `of`, whose child it is or, where that is gone, ours; a branch is ours, and has a directory.

        Returns whether it is one.
        """
        # One that ended was reaped, or will be, as nobody's.
        if not kernel.is_alive(pid) or not self._is_fork(pid, worker, of, is_branch=directory is not None):
            return False
        if directory is not None and not _make_pipes(directory):
            return False
        self._workers[pid] = worker
        if directory is not None:
            self._stacks.prepare(worker, directory)
            return True
        text = self._stacks.adopt(worker, of)
        if text is not None:
            self._agent.send({"type": "stacks", "worker": of, "text": text})
        return True

    def _is_fork(self, pid: int, worker: str, of: str, *, is_branch: bool) -> bool:
        """The number comes from a process that runs user code, which may name a neighbour's."""
        parents = {os.getpid()}
        # Of a branch it is we who must see the end.
        if not is_branch:
            parents |= {known for known, name in self._workers.items() if name == of}
        if pid in self._known() or _parent(pid) not in parents:
            return False
        # As it has it from its worker, until it has its own.
        return kernel.environment_value(pid, WORKER_MARKER) in (worker, of)

    def _known(self) -> set[int]:
        return {zygote.pid for zygote in self._zygotes.values()} | set(self._workers)

    def _wake(self, worker: str, pid: int) -> None:
        if self._workers.get(pid) == worker and kernel.catches(pid, WAKE):
            kernel.signal(pid, WAKE)

    def _ask_stacks(self, worker: str, pid: int) -> None:
        # By the pid only while we have not reaped it: it is that worker's until then.
        if self._workers.get(pid) != worker or not self._stacks.ask(worker, pid):
            self._agent.send({"type": "stacks", "worker": worker, "text": ""})

    def _end_dump(self, worker: str) -> None:
        text = self._stacks.end_dump(worker)
        if text is not None:
            self._agent.send({"type": "stacks", "worker": worker, "text": text})

    def _forget_stacks(self, worker: str) -> None:
        text = self._stacks.forget(worker)
        if text is not None:
            self._agent.send({"type": "stacks", "worker": worker, "text": text})

    def _advance_kills(self) -> None:
        own = self._known()
        waiting = []
        for kill in self._kills:
            lives = self._workers.get(kill.pid) == kill.worker
            if kill.advance(own - {pid for pid, worker in self._workers.items() if worker == kill.worker}, lives):
                if not kill.spares:
                    # Else one that was spared may take them over.
                    self._forget_stacks(kill.worker)
                self._agent.send({"type": "killed", "worker": kill.worker})
            else:
                waiting.append(kill)
        self._kills = waiting

    def _reap(self) -> None:
        reaped = False
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            reaped = True
            how = exit_status(status)
            zygote = next((one for one in self._zygotes.values() if one.pid == pid), None)
            if zygote:
                self._zygote_ended(zygote, how)
            else:
                worker = self._workers.pop(pid, None)
                if worker is not None:
                    self._end_dump(worker)
                elif self._forks_waiting:
                    self._reaped_unknown.add(pid)
                self._agent.send({"type": "exited", "pid": pid, **how})
        if not self._forks_waiting:
            self._reaped_unknown.clear()
        if reaped and self._kills:
            self._advance_kills()

    def _zygote_ended(self, zygote: ZygoteHandle, how: dict[str, Any]) -> None:
        # What it said before it died stands in the socket still.
        if zygote.open:
            self._from_zygote(zygote)
        del self._zygotes[zygote.name]
        zygote.close()
        for worker in zygote.forking:
            self._forks_waiting -= 1
            self._forget_stacks(worker)
            why = f" ({zygote.fault})" if zygote.fault else ""
            text = f"zygote {zygote.name!r} ended before it answered{why}"
            self._agent.send({"type": "fork_failed", "worker": worker, "message": text})
        if zygote.ready:
            self._agent.send({"type": "zygote_exited", "zygote": zygote.name, "pid": zygote.pid, **how})
        elif not zygote.failed:
            ended = f"by signal {how['signal']}" if "signal" in how else f"with code {how['code']}"
            why = f" ({zygote.fault})" if zygote.fault else ""
            error = {"name": "ZygoteDied", "message": f"the zygote ended {ended} while warming{why}", "traceback": []}
            self._agent.send({"type": "zygote_failed", "zygote": zygote.name, "error": error})


def _make_pipes(directory: str) -> bool:
    """The pipes of a branch's output, as a zygote makes those of its forks. Returns whether they are there."""
    try:
        for name in ("out", "err"):
            os.mkfifo(os.path.join(directory, name), 0o600)
    except OSError:
        return False
    return True


def _parent(pid: int) -> int:
    fields = kernel.stat(pid)
    return int(fields[1]) if fields else -1


def main() -> int:
    """Run a launcher on PYREPL_PROTOCOL_FDS. Returns 0, or 64 and 76 where it could not greet the agent."""
    try:
        fds = protocol_fds()
        if fds is None:
            sys.stderr.write(f"replpool_worker launcher: {PROTOCOL_FDS}=READ,WRITE is not set\n")
            return 64
        kernel.become_subreaper()
        kernel.set_name("replpool-launch")
        agent = Connection(*fds)
        agent.greet(hello("fds", ["launcher"]))
    except (Refused, ProtocolError, EOFError, TimeoutError) as error:
        return leave(error)
    try:
        Launcher(agent).run()
    except BrokenPipeError:
        # The agent is gone; its end of file would have said the same.
        return 0
    except ProtocolError as error:
        sys.stderr.write(f"replpool_worker launcher: the agent broke the protocol: {error}\n")
        return EX_SOFTWARE
    return 0
