"""File descriptors 1 and 2 belong to the user's code; sys.stdout and sys.stderr are text over them."""

import array
import contextlib
import fcntl
import io
import os
import stat
import sys
import termios

F_SETPIPE_SZ = 1031
PIPE_BYTES = 256 * 1024


def _text(fd: int) -> io.TextIOWrapper:
    raw = io.FileIO(fd, "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding="utf-8", errors="backslashreplace", newline="\n", line_buffering=True
    )


def widen(fd: int) -> None:
    """Make a pipe 256 KiB, best effort: a user's pages for pipes are limited (pipe-user-pages-soft)."""
    with contextlib.suppress(OSError):
        fcntl.fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES)


class Output:
    """The two streams, and how much of them stands unread."""

    def __init__(self) -> None:
        """Rewire sys.stdout and sys.stderr over fds 1 and 2 as they are now."""
        # Own copies: the hint holds when user code closes fd 1 or puts a file over it.
        self._ends = [self._copy(1), self._copy(2)]
        self._streams = [_text(1), _text(2)]
        sys.stdout = self._streams[0]
        sys.stderr = self._streams[1]
        # Final to the type checker; libraries that undo a redirection go back to these.
        vars(sys).update(__stdout__=sys.stdout, __stderr__=sys.stderr)

    @staticmethod
    def _copy(fd: int) -> int | None:
        """A copy of a pipe's writing end; None for anything else, whose fill cannot be asked."""
        try:
            if not stat.S_ISFIFO(os.fstat(fd).st_mode):
                return None
            return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
        except OSError:
            return None

    def flush(self) -> None:
        """Write out what our text objects hold; what user code closed or broke is left."""
        for stream in self._streams:
            with contextlib.suppress(OSError, ValueError):
                # Not stream.flush(): user code may have put a function of its own there.
                io.TextIOWrapper.flush(stream)

    def pipes(self) -> list[int]:
        """`[out, err]`: bytes written and not yet read; 1, meaning "look", where the kernel cannot tell."""
        self.flush()
        return [self._unread(end) for end in self._ends]

    @staticmethod
    def _unread(end: int | None) -> int:
        if end is None:
            return 1
        answer = array.array("i", [0])
        try:
            fcntl.ioctl(end, termios.FIONREAD, answer)
        except OSError:
            return 1
        return answer[0]
