"""What a rollback would not undo, in words: open files, sockets, child processes."""

import contextlib
import os
import re
import socket
import struct
from collections.abc import Callable, Iterable

from . import kernel

# As many files as children: neither crowds the other out.
ITEMS = 100
CHARACTERS = 300
# What the interpreter itself may hold open.
OWN_FILES = ("/dev/urandom", "/dev/random")

# Bound here: user code patches modules, as tests do, and must not hit the worker (test_patched_modules.py).
_listdir, _readlink, _getpid = os.listdir, os.readlink, os.getpid
_inet_ntop, _AF_INET, _AF_INET6, _unpack, _pack = (
    socket.inet_ntop,
    socket.AF_INET,
    socket.AF_INET6,
    struct.unpack,
    struct.pack,
)

_INODE = re.compile(r"^(socket|pipe):\[(\d+)\]$")
_match = _INODE.match


def handles(own: Iterable[int], is_twin: Callable[[int], bool]) -> list[str]:
    """At most 200. `own` are descriptors of the worker's; `is_twin(pid)` tells which children are. Never raises."""
    items: list[str] = []
    with contextlib.suppress(Exception):
        items += _files({0, 1, 2, *own})
    with contextlib.suppress(Exception):
        items += _children(is_twin)
    return [_clean(item) for item in items]


def _children(is_twin: Callable[[int], bool]) -> list[str]:
    items: list[str] = []
    for pid in kernel.children(_getpid()):
        # One that ended is nobody's work any more.
        if len(items) < ITEMS and not is_twin(pid) and kernel.is_alive(pid):
            name = kernel.read(f"/proc/{pid}/comm").decode("utf-8", "replace").strip()
            items.append(f"child process {pid} ({name})")
    return items


def _clean(text: str) -> str:
    return text[:CHARACTERS].encode("utf-8", "backslashreplace").decode()[:CHARACTERS]


def _files(own: set[int]) -> list[str]:
    items: list[str] = []
    sockets: dict[str, str] | None = None
    for number in sorted(int(name) for name in _listdir("/proc/self/fd")):
        if number in own or len(items) >= ITEMS:
            continue
        try:
            target = _readlink(f"/proc/self/fd/{number}")
        except OSError:
            # Closed meanwhile, such as the one by which the folder was read.
            continue
        if target in OWN_FILES:
            continue
        found = _match(target)
        if found is None:
            what = target if target.startswith("anon_inode:") else f"open file {target}"
        elif found[1] == "pipe":
            what = "pipe"
        else:
            sockets = _sockets() if sockets is None else sockets
            what = f"socket {sockets.get(found[2], 'of an unknown kind')}"
        items.append(f"{what.removeprefix('anon_inode:')} (fd {number})")
    return items


def _sockets() -> dict[str, str]:
    """Kind and address by inode."""
    found: dict[str, str] = {}
    for name in ("tcp", "tcp6", "udp", "udp6"):
        for line in kernel.read(f"/proc/self/net/{name}").decode("ascii", "replace").splitlines()[1:]:
            fields = line.split()
            # [1] local and [2] remote address; a socket that listens or is not connected has no remote one.
            remote = fields[2]
            is_connected = not remote.endswith(":0000")
            found[fields[9]] = f"{name[:3]} {_address(remote if is_connected else fields[1])}"
    for line in kernel.read("/proc/self/net/unix").decode("utf-8", "replace").splitlines()[1:]:
        fields = line.split(None, 7)
        found[fields[6]] = f"unix {fields[7]}" if len(fields) > 7 else "unix"
    return found


def _address(text: str) -> str:
    """`0100007F:1538` is 127.0.0.1:5432: words of 32 bits in the order of the machine."""
    host, port = text.split(":")
    words = bytes.fromhex(host)
    packed = b"".join(_pack("=I", *_unpack(">I", words[at : at + 4])) for at in range(0, len(words), 4))
    shown = _inet_ntop(_AF_INET, packed) if len(packed) == 4 else f"[{_inet_ntop(_AF_INET6, packed)}]"
    return f"{shown}:{int(port, 16)}"
