"""Started by `replpool dev` with a pipe as stdin: whatever it does ends when that pipe ends, kill -9 of the parent included.

guard.py run COMMAND...   runs the command; every descendant is killed when stdin ends or the command does; exits with its status
guard.py lock FILE        takes the file's lock, prints "locked" (before that "waiting" where another holds it), holds it until stdin ends

Standard library only; any Python >= 3.10 on Linux.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import signal
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
KILLED = 137


def parents() -> dict[int, int]:
    """Every process's parent."""
    table = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="latin-1") as file:
                table[int(name)] = int(file.read().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue  # gone meanwhile
    return table


def descendants(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for pid, parent in parents().items():
        children.setdefault(parent, []).append(pid)
    found, queue = [], [root]
    while queue:
        for pid in children.get(queue.pop(), []):
            found.append(pid)
            queue.append(pid)
    return found


def reap(main: int) -> int | None:
    """Reaps what has ended; the exit status of `main` if it was among them."""
    status = None
    while True:
        try:
            pid, raw = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return status
        if pid == 0:
            return status
        if pid == main:
            code = os.waitstatus_to_exitcode(raw)
            status = code if code >= 0 else 128 - code


def sweep() -> None:
    """Kills all descendants. As subreaper this process gets the orphans, setsid ones too, so none escapes."""
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline:
        left = descendants(os.getpid())
        if not left:
            return
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        reap(0)
        time.sleep(0.01)


def run(command: list[str]) -> int:
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    wakeup, wakeup_end = os.pipe()
    os.set_blocking(wakeup, False)
    os.set_blocking(wakeup_end, False)
    signal.set_wakeup_fd(wakeup_end)
    ended = []
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: ended.append(True))
    try:
        devnull = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
        main = os.posix_spawnp(command[0], command, os.environ, file_actions=[devnull])
    except OSError as error:
        print(f"cannot run {command[0]}: {error.strerror}", file=sys.stderr)
        return 127
    while True:
        readable, _, _ = select.select([0, wakeup], [], [])
        if wakeup in readable:
            os.read(wakeup, 4096)
        status = reap(main)
        if status is not None:
            sweep()
            return status
        if ended or (0 in readable and not os.read(0, 4096)):
            sweep()
            return KILLED


def lock(path: str) -> int:
    with open(path, "ab") as file:
        told = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not told:
                    print("waiting", flush=True)
                    told = True
            readable, _, _ = select.select([0], [], [], 0.1)
            if readable and not os.read(0, 4096):
                return KILLED
        print("locked", flush=True)
        while os.read(0, 4096):
            pass
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[2:]) if sys.argv[1] == "run" else lock(sys.argv[2]))
