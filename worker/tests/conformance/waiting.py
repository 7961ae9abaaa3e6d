"""What cases wait with, in place of time."""

import os
import select
import time

from agent import Run, Worker


def read_until(worker: Worker, end: bytes, index: int = 0) -> bytes:
    """What comes on fd 1 or 2 up to `end`, with no execution running."""
    data = b""
    deadline = time.monotonic() + 30
    while end not in data:
        assert time.monotonic() < deadline, data
        select.select([worker.pipes[index]], [], [], 1)
        try:
            data += os.read(worker.pipes[index], 65536)
        except BlockingIOError:
            continue
    return data


def finished(run: Run) -> str:
    """Status and result, for a comparison in one line."""
    return run.status + (f" {run.text}" if run.status == "ok" else f" {run.error['name']}")
