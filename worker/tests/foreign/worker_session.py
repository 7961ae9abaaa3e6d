"""A session on a worker of the tests' own small agent: its output is read as it comes, its input has ended."""

import select
import time
from pathlib import Path
from typing import Any

from agent import Launcher, Run, wait_until
from replpool_worker import kernel


class WorkerSession:
    """One forked worker, opened in `folder`. Everything of it is gone after `delete`."""

    def __init__(self, launcher: Launcher, folder: Path) -> None:
        self.launcher = launcher
        self.worker = launcher.fork()
        self.worker.send("open", session="s", cwd=str(folder), env={})
        assert "error" not in self.worker.expect("opened")

    def run(self, code: str, seconds: float) -> Run:
        """Run to the end. Raises AssertionError after `seconds`."""
        worker, run = self.worker, Run()
        execution = worker.start(code)
        deadline = time.monotonic() + seconds
        while True:
            left = deadline - time.monotonic()
            assert left > 0, f"no end after {seconds} s\n{(run.out + run.err)[-4000:].decode(errors='replace')}"
            # Frames may already stand in the buffer; pipes that nobody reads would stop the code.
            if (
                len(worker.buffer) < 4
                and worker.fds[0] not in select.select([worker.fds[0], *worker.pipes], [], [], left)[0]
            ):
                worker.drain(run, [1, 1])
                continue
            message = worker.receive()
            run.frames.append(message)
            worker.drain(run, message.get("pipes") or [])
            if message["type"] == "input_request":
                worker.send("input_reply", request=message["request"], eof=True)
            if message["type"] == "finished" and message["execution"] == execution:
                return run

    def value(self, program: str, value: str, seconds: float) -> Any:
        """Run `program` and return what the expression `value` is then, by way of JSON."""
        run = self.run(f"{program}\ndisplay({{'application/json': {value}}}, raw=True)", seconds)
        assert run.status == "ok", run.traceback
        return run.one("display")["data"]["application/json"]

    def delete(self) -> None:
        """End it. Raises AssertionError where a process of it outlives that."""
        left = kernel.descendants(self.worker.pid) | {self.worker.pid}
        self.launcher.kill(self.worker)
        self.worker.close()
        wait_until(lambda: not any(kernel.is_alive(pid) for pid in left), f"the session left some of {left}")
