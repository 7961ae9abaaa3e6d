"""A `replpool dev` of this tree, and sessions on it over HTTP."""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import uuid
from pathlib import Path
from typing import Any, NoReturn

from agent import wait_until
from foreign.plain import Plain
from replpool_worker import kernel

ROOT = Path(__file__).resolve().parents[3]
POOL = Path(__file__).with_name("pool.yaml")
MARKER = "FOREIGN_SESSION"
# Over the time limit of an execution, whose end the agent has to tell.
MARGIN_SECONDS = 30.0


class Service:
    """Ends with `close`, and with this process however that ends. The first start of all makes the environment."""

    def __init__(self, log: Path) -> None:
        node = shutil.which("node")
        assert node is not None, "node is not in PATH: run by `npm run test:foreign`"
        alive, self._alive = os.pipe()
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [node, "--conditions=source", "cli/src/main.ts", "dev", "--port", "0", "-f", str(POOL)],
                cwd=ROOT,
                env={**os.environ, "REPLPOOL_PARENT_FD": str(alive)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                pass_fds=[alive],
                start_new_session=True,
            )
        os.close(alive)
        self.port = self._wait(log)

    def _wait(self, log: Path) -> int:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            found = re.search(rb"ReplPool is up at http://[^:]+:(\d+)", line)
            if found:
                return int(found[1])
        self.close()
        raise AssertionError(f"replpool dev did not start\n{log.read_text(errors='replace')[-4000:]}")

    def call(self, method: str, path: str, body: object = None, seconds: float = 60.0) -> tuple[int, Any]:
        """One request: the status and the body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        with contextlib.closing(connection):
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"content-type": "application/json"})
            answer = connection.getresponse()
            data = answer.read()
            return answer.status, json.loads(data) if data else None

    def close(self) -> None:
        """SIGTERM, and wait until it has ended with all of its own."""
        os.close(self._alive)
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(30)
        finally:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()


class ServiceSession:
    """A session of the service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._mark = uuid.uuid4().hex
        status, session = service.call("POST", "/v1/sessions", {"env": {MARKER: self._mark}})
        assert status == 201, session
        self._path = f"/v1/sessions/{session['id']}"
        facts = self.value("import os, sys", "[os.getpid(), sys.executable, dict(os.environ)]", 60.0)
        self._pid: int = facts[0]
        self.plain = Plain(facts[1], facts[2])

    def run(self, code: str, seconds: float) -> dict[str, Any]:
        """One execution, its input at its end. It ends by its time limit or before."""
        body = {"code": code, "timeoutSeconds": seconds, "stdin": ""}
        status, outcome = self._service.call("POST", f"{self._path}/executions", body, seconds + MARGIN_SECONDS)
        assert status == 200, outcome
        assert isinstance(outcome, dict)
        return outcome

    def value(self, program: str, value: str, seconds: float) -> Any:
        """Run `program` and return what the expression `value` is then, by way of JSON."""
        outcome = self.run(f"{program}\ndisplay({{'application/json': {value}}}, raw=True)", seconds)
        if outcome["status"] != "ok":
            _fail(outcome)
        return outcome["displays"][-1]["data"]["application/json"]

    def variables(self, name: str | None = None) -> Any:
        """The list of variables, or one of them."""
        status, answer = self._service.call("GET", f"{self._path}/variables" + (f"/{name}" if name else ""))
        assert status == 200, answer
        return answer

    def delete(self) -> None:
        """Raises AssertionError where a process of it outlives its deletion."""
        status, problem = self._service.call("DELETE", self._path)
        assert status == 204, problem
        with contextlib.suppress(AssertionError):
            wait_until(lambda: not self._processes(), "")
        left = {pid: (kernel.stat(pid)[:2], kernel.read(f"/proc/{pid}/cmdline")) for pid in self._processes()}
        assert not left, f"processes outlive their session: {left}"

    def _processes(self) -> list[int]:
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
        marked = [pid for pid in pids if kernel.environment_value(pid, MARKER) == self._mark]
        return [pid for pid in {self._pid, *marked} if kernel.is_alive(pid)]


def _fail(outcome: dict[str, Any]) -> NoReturn:
    error = outcome.get("error") or {}
    traceback = "".join(error.get("traceback") or [])
    raise AssertionError(f"{outcome['status']}: {error}\n{traceback}\n{outcome['stderr'][-4000:]}")
