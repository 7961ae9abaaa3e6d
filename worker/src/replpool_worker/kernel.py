"""What the kernel offers beside Python's own os module: prctl, and the tree of processes in /proc (Linux)."""

import array
import contextlib
import ctypes
import fcntl
import os
import termios

PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15
PR_SET_CHILD_SUBREAPER = 36

_IOLBF = 1

# Bound here: user code patches modules, as tests do, and must not hit the worker (test_patched_modules.py).
_open, _ioctl, _array, _listdir, _exists = open, fcntl.ioctl, array.array, os.listdir, os.path.exists
_kill, _strerror, _get_errno, _c_ulong = os.kill, os.strerror, ctypes.get_errno, ctypes.c_ulong
_create_string_buffer, _addressof, _string_at = ctypes.create_string_buffer, ctypes.addressof, ctypes.string_at
_memmove = ctypes.memmove

_libc = ctypes.CDLL(None, use_errno=True)
try:
    _c_stdout: ctypes.c_void_p | None = ctypes.c_void_p.in_dll(_libc, "stdout")
except ValueError:
    _c_stdout = None


def _prctl(option: int, argument: int) -> None:
    if _libc.prctl(option, _c_ulong(argument), 0, 0, 0) != 0:
        number = _get_errno()
        raise OSError(number, f"prctl({option}): {_strerror(number)}")


def line_buffer_c_stdout() -> None:
    """Have C's printf write each line at once, in order with Python's: into a pipe it would keep 4 KiB back."""
    if _c_stdout is not None:
        _libc.setvbuf(_c_stdout, None, _IOLBF, 0)


def flush_c_stdout() -> None:
    """Write out what printf holds. Not all of C's files: one on which another thread waits is locked."""
    if _c_stdout is not None:
        _libc.fflush(_c_stdout)


def unread_by_peer(fd: int) -> int:
    """How much of what was written to a socket or a pipe its other end has not read; 0 where the kernel cannot tell."""
    answer = _array("i", [0])
    for request in (termios.TIOCOUTQ, termios.FIONREAD):
        with contextlib.suppress(OSError):
            _ioctl(fd, request, answer)
            return answer[0]
    return 0


def become_subreaper() -> None:
    """Orphans below this process become its children. Raises OSError."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def set_parent_death_signal(number: int) -> None:
    """The signal that this process gets when its parent ends; 0 for none. Raises OSError."""
    _prctl(PR_SET_PDEATHSIG, number)


def set_name(name: str) -> None:
    """The name in ps and top, at most 15 bytes. Raises OSError."""
    buffer = _create_string_buffer(name.encode()[:15])
    _prctl(PR_SET_NAME, _addressof(buffer))


def read(path: str) -> bytes:
    """A file of /proc; empty where its process is gone or not ours."""
    try:
        with _open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def stat(pid: int | str) -> list[str]:
    """Fields of /proc/PID/stat from `state` on: [0] state, [1] ppid, [2] pgrp, [3] session, [19] start time; or []."""
    return read(f"/proc/{pid}/stat").decode("utf-8", "replace").rpartition(")")[2].split()


def is_alive(pid: int) -> bool:
    """Whether the process exists and is not a zombie."""
    fields = stat(pid)
    return bool(fields) and fields[0] not in "ZX"


def children(pid: int) -> list[int]:
    """The direct children, of whichever thread. Kernels without `children` files are asked process by process."""
    task = f"/proc/{pid}/task"
    found: list[int] = []
    try:
        threads = _listdir(task)
    except OSError:
        return found
    for thread in threads:
        path = f"{task}/{thread}/children"
        text = read(path)
        if not text and not _exists(path) and _exists(f"{task}/{thread}"):
            return _children_by_scan(pid)
        found.extend(int(child) for child in text.split())
    return found


def _children_by_scan(pid: int) -> list[int]:
    numbers = (entry for entry in _listdir("/proc") if entry.isdigit())
    return [int(entry) for entry in numbers if stat(entry)[1:2] == [str(pid)]]


def descendants(*roots: int) -> set[int]:
    """All processes below the roots, without the roots."""
    found: set[int] = set()
    todo = list(roots)
    while todo:
        for child in children(todo.pop()):
            if child not in found:
                found.add(child)
                todo.append(child)
    return found


def signal(pid: int, number: int) -> None:
    """Send a signal; a process that is gone is no error."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        _kill(pid, number)


def environment_value(pid: int, name: str) -> str | None:
    """A variable of the environment that a process was started with."""
    prefix = name.encode() + b"="
    for entry in read(f"/proc/{pid}/environ").split(b"\0"):
        if entry.startswith(prefix):
            return entry[len(prefix) :].decode("utf-8", "replace")
    return None


def catches(pid: int, number: int) -> bool:
    """Whether the process has a handler for a signal."""
    for line in read(f"/proc/{pid}/status").splitlines():
        if line.startswith(b"SigCgt:"):
            return bool(int(line.split()[1], 16) >> (number - 1) & 1)
    return False


def overwrite_environment(name: str, value: str) -> None:
    """Change a variable where /proc/PID/environ shows it, within the length it had when the process started.

    A fork that never calls exec shows its ancestor's initial environment, so that only this marks it as a worker's.
    """
    fields = stat("self")
    start, end = int(fields[47]), int(fields[48])
    block = _string_at(start, end - start)
    prefix = name.encode() + b"="
    at = 0 if block.startswith(prefix) else block.find(b"\0" + prefix) + 1
    if at == 0 and not block.startswith(prefix):
        return
    at += len(prefix)
    end = block.index(b"\0", at)
    # What an earlier and shorter value left.
    while block[end + 1 : end + 2] == b"\0":
        end += 1
    room = end - at
    _memmove(start + at, value.encode()[:room].ljust(room, b"\0"), room)
