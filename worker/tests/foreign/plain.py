"""The measure: the same code as a script of a plain `python3`, with the session's interpreter and environment."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# What a worker has beside its user's environment, and what marks the processes of a session of these tests.
OURS = ("PYREPL_", "REPLPOOL_", "FOREIGN_")


@dataclass(frozen=True)
class Plain:
    """An interpreter and its environment; by default those of the tests themselves."""

    python: str = sys.executable
    env: dict[str, str] = field(default_factory=lambda: dict(os.environ))


def run_plain(program: str, value: str, folder: Path, seconds: float, where: Plain | None = None) -> Any:
    """Run `program` as a file in `folder`. Returns what the expression `value` is then, by way of JSON.

    Raises AssertionError where it does not end within `seconds` or ends without one; nothing of it is left.
    """
    where = where or Plain()
    answer = folder / "answer.json"
    main = folder / "main.py"
    store = f"import json as _json\nwith open({str(answer)!r}, 'w') as _file:\n    _json.dump({value}, _file)\n"
    main.write_text(f"{program}\n{store}")
    variables = {key: text for key, text in where.env.items() if not key.startswith(OURS)}
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [where.python, main.name],
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # As a worker's: no terminal to ask, and a group that can be ended whole.
            start_new_session=True,
        )
        try:
            status: int | str = process.wait(seconds)
        except subprocess.TimeoutExpired:
            status = f"not ended after {seconds} s"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert answer.exists(), f"plain Python: {status}\n{log.read_text(errors='replace')[-4000:]}"
    return json.loads(answer.read_text())
