"""pty-driver.py COLUMNS ROWS COMMAND...: runs a command on a pseudo-terminal of its own, for tests. Standard library only.

stdin: JSON lines, {"write": TEXT} types; its end hangs the terminal up.
stdout: what the command writes, as it is. Exit status: the command's, 128 + the signal's number where one ended it.
"""

import fcntl
import json
import os
import pty
import select
import struct
import sys
import termios


def resize(terminal: int, columns: int, rows: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def obey(terminal: int, line: bytes) -> None:
    text = json.loads(line)["write"].encode()
    while text:
        text = text[os.write(terminal, text) :]


def relay(terminal: int) -> None:
    """Until the command has ended, or the test."""
    pending = b""
    while True:
        for source in select.select([0, terminal], [], [])[0]:
            try:
                data = os.read(source, 65536)
            except OSError:  # EIO: the last process with this terminal has closed it
                data = b""
            if not data:
                return
            if source == terminal:
                os.write(1, data)
                continue
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                obey(terminal, line)


def main() -> int:
    columns, rows, *command = sys.argv[1:]
    gate, opener = os.pipe()
    pid, terminal = pty.fork()
    if pid == 0:
        os.close(opener)
        os.read(gate, 1)  # until the window has its size
        os.execvp(command[0], command)
    os.close(gate)
    resize(terminal, int(columns), int(rows))
    os.close(opener)
    relay(terminal)
    os.close(terminal)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
