"""File descriptors 1 and 2 belong to the user's code; sys.stdout and sys.stderr are text over them."""

import array
import contextlib
import fcntl
import io
import os
import stat
import sys
import termios
import time
from typing import Any

from . import kernel

_NAMES = ("stdout", "stderr")
# The FIFOs' names, in the folder that the agent gives.
PIPES = ("out", "err")
DESCRIPTORS = "/proc/self/fd"
F_SETPIPE_SZ = 1031
PIPE_BYTES = 256 * 1024
POLL_SECONDS = 0.00005

# Bound here: user code patches modules, as tests do, and must not hit the worker (test_patched_modules.py).
_ioctl, _fcntl, _set_blocking, _monotonic, _sleep = (
    fcntl.ioctl,
    fcntl.fcntl,
    os.set_blocking,
    time.monotonic,
    time.sleep,
)
_open, _close, _dup2, _fstat, _listdir, _join = os.open, os.close, os.dup2, os.fstat, os.listdir, os.path.join
_get_inheritable = os.get_inheritable
_array, _FileIO, _BufferedWriter, _TextIOWrapper = array.array, io.FileIO, io.BufferedWriter, io.TextIOWrapper


def _text(fd: int) -> io.TextIOWrapper:
    raw = _FileIO(fd, "w", closefd=False)
    made = _TextIOWrapper(
        _BufferedWriter(raw), encoding="utf-8", errors="backslashreplace", newline="\n", line_buffering=True
    )
    # As the interpreter names its own; both objects take them as attributes only.
    vars(raw)["name"], vars(made)["mode"] = f"<{_NAMES[fd - 1]}>", "w"
    return made


def _is_closed(stream: io.TextIOWrapper) -> bool:
    try:
        return stream.closed
    except ValueError:
        # Detached.
        return True


def put_pipes(directory: str) -> None:
    """Make the FIFOs `out` and `err` of this folder fds 1 and 2. Raises OSError, where nobody reads them too."""
    for target, name in enumerate(PIPES, 1):
        pipe = _open_pipe(directory, name)
        _dup2(pipe, target)
        _close(pipe)


def _open_pipe(directory: str, name: str) -> int:
    # To open one that has no reader would wait for ever.
    fd = _open(_join(directory, name), os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    _set_blocking(fd, True)
    widen(fd)
    return fd


def widen(fd: int) -> None:
    """Make a pipe 256 KiB, best effort: a user's pages for pipes are limited (pipe-user-pages-soft)."""
    with contextlib.suppress(OSError):
        _fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES)


def _file(fd: int) -> tuple[int, int] | None:
    """Which file a descriptor is of; None where it is closed."""
    try:
        status = _fstat(fd)
    except OSError:
        return None
    return status.st_dev, status.st_ino


class Output:
    """The two streams, and how much of them stands unread."""

    def __init__(self) -> None:
        """Rewire sys.stdout and sys.stderr over fds 1 and 2 as they are now."""
        # Own copies: the hint holds when user code closes fd 1 or puts a file over it.
        self._ends = [self._copy(1), self._copy(2)]
        self._files = [None if end is None else _file(end) for end in self._ends]
        self._streams: list[io.TextIOWrapper] = []
        for fd, name in enumerate(_NAMES, 1):
            former = getattr(sys, name, None)
            if isinstance(former, io.TextIOWrapper):
                # Code of the template may have kept it (logging does); it is over the same descriptor.
                with contextlib.suppress(OSError, ValueError):
                    former.reconfigure(line_buffering=True)
            self._streams.append(_text(fd))
            self._show(fd - 1)
        kernel.line_buffer_c_stdout()

    @staticmethod
    def _copy(fd: int) -> int | None:
        """A copy of a pipe's writing end; None for anything else, whose fill cannot be asked."""
        try:
            if not stat.S_ISFIFO(os.fstat(fd).st_mode):
                return None
            return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
        except OSError:
            return None

    def move(self, directory: str) -> None:
        """In a branch: write into the FIFOs of this folder, by each descriptor that wrote into the former ones.

        A file that user code put over fd 1 or 2 stays there. Raises OSError.
        """
        for index, name in enumerate(PIPES):
            former, end = self._files[index], self._ends[index]
            if end is not None and _file(end) == former:
                # First, for user code may have used up all other numbers.
                _close(end)
            held = [] if former is None else [fd for fd in map(int, _listdir(DESCRIPTORS)) if _file(fd) == former]
            pipe = _open_pipe(directory, name)
            for fd in held:
                _dup2(pipe, fd, _get_inheritable(fd))
            self._ends[index], self._files[index] = pipe, _file(pipe)

    def _show(self, index: int) -> None:
        """Make one of ours what the interpreter knows; libraries that undo a redirection go back to `__stdout__`."""
        name, stream = _NAMES[index], self._streams[index]
        vars(sys).update({name: stream, f"__{name}__": stream})

    def begin(self) -> None:
        """Before an execution: what an earlier one closed, or a child process made unwaiting, is as it was."""
        for index, stream in enumerate(self._streams):
            if _is_closed(stream):
                is_shown = getattr(sys, _NAMES[index], None) is stream
                self._streams[index] = _text(index + 1)
                vars(sys).update({f"__{_NAMES[index]}__": self._streams[index]})
                if is_shown:
                    self._show(index)
        for end in self._ends:
            if end is not None:
                with contextlib.suppress(OSError):
                    _set_blocking(end, True)

    def fds(self) -> set[int]:
        """The descriptors that are ours beside 1 and 2."""
        return {end for end in self._ends if end is not None}

    def replaced(self) -> list[Any]:
        """The streams that user code put in the place of ours."""
        present = [getattr(sys, name, None) for name in _NAMES]
        return [one for one, ours in zip(present, self._streams, strict=True) if one is not ours and one is not None]

    def flush(self) -> None:
        """Write out what our text objects and C's stdout hold; what user code closed or broke is left."""
        kernel.flush_c_stdout()
        for stream in self._streams:
            with contextlib.suppress(OSError, ValueError):
                # Not stream.flush(): user code may have put a function of its own there.
                _TextIOWrapper.flush(stream)

    def pipes(self) -> list[int]:
        """`[out, err]`: bytes written and not yet read; 1, meaning "look", where the kernel cannot tell."""
        self.flush()
        return [self._unread(end) for end in self._ends]

    def wait_until_read(self, seconds: float) -> None:
        """Wait until the agent has read what stands in the pipes, for so long at most; a thread may go on writing."""
        self.flush()
        deadline = _monotonic() + seconds
        while any(end is not None and self._unread(end) for end in self._ends) and _monotonic() < deadline:
            _sleep(POLL_SECONDS)

    @staticmethod
    def _unread(end: int | None) -> int:
        if end is None:
            return 1
        answer = _array("i", [0])
        try:
            _ioctl(end, termios.FIONREAD, answer)
        except OSError:
            return 1
        return answer[0]
