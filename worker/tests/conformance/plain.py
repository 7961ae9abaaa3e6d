"""The measure: the same code in a plain interpreter of the same version and environment."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from agent import environment

# Code after code in one namespace, an error ends only its own. The module is __main__, as a session's.
INTERACTIVE = """\
import code, linecache, sys, types
main = sys.modules["__main__"] = types.ModuleType("__main__")
main.__builtins__ = __builtins__
interpreter = code.InteractiveInterpreter(main.__dict__)
sys.excepthook = sys.__excepthook__
for number, path in enumerate(sys.argv[1:], 1):
    with open(path) as file:
        source, name = file.read(), f"<cell {number}>"
    linecache.cache[name] = len(source), None, (source + "\\n").splitlines(True), name
    interpreter.runsource(source, name, "exec")
    sys.stdout.flush()
"""


@dataclass(frozen=True)
class Plain:
    """What plain Python wrote."""

    out: str
    err: str


def run(codes: tuple[str, ...], folder: Path) -> Plain:
    """Run one code as a file, several as an interactive interpreter would. The files are named as the cells are."""
    paths = []
    for number, code in enumerate(codes, 1):
        path = folder / f"<cell {number}>"
        path.write_text(code)
        paths.append(str(path))
    command = paths if len(paths) == 1 else ["-c", INTERACTIVE, *paths]
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        # As a session writes, line by line: into a pipe plain Python would hold text back behind what goes round it.
        env=environment() | {"PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return Plain(done.stdout.decode(), done.stderr.decode().replace(f"{folder}/", ""))
