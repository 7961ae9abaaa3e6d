"""A worker that is given up for its twin."""

from agent import Launcher


class Pair:
    """A worker, and the twin that may take its place."""

    def __init__(self, launcher: Launcher) -> None:
        self.launcher = launcher
        self.worker = launcher.fork()

    def run(self, code: str) -> str:
        """Execute, and give the result's text; it must succeed."""
        run = self.worker.run(code)
        assert run.status == "ok", run.frames
        results = [frame["data"]["text/plain"] for frame in run.frames if frame["type"] == "result"]
        return str(results[0]) if results else ""

    def try_and_undo(self, code: str) -> None:
        """Take a snapshot, execute, and roll back."""
        twin = self.worker.twin()
        self.worker.run(code)
        self.worker = self.launcher.resume(self.worker, twin)
