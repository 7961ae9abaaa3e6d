"""Code of the session replaces functions of Python's modules, as `unittest.mock.patch` does: that is no end of it."""

import ast
import time
from pathlib import Path

import pytest

import replpool_worker
from agent import Launcher, Worker

SOURCES = Path(replpool_worker.__file__).parent
MOCK = "import asyncio, os, sys, threading, time\nfrom unittest import mock\n"

# Each stays patched while the code displays, prints and ends, and in what comes after.
PATCHED = {
    "os.getpid": "return_value=42",
    "os.fstat": "side_effect=OSError",
    "os.read": "return_value=b''",
    "os.write": "",
    "os.set_blocking": "side_effect=ValueError",
    "time.sleep": "side_effect=ValueError",
    "time.monotonic": "",
    "fcntl.ioctl": "side_effect=ValueError",
    "array.array": "side_effect=ValueError",
    "resource.getrusage": "side_effect=ValueError",
    "threading.Lock": "side_effect=ValueError",
    "threading.get_ident": "new=None",
    "signal.pthread_sigmask": "side_effect=ValueError",
    "msgpack.packb": "side_effect=ValueError",
    "msgpack.unpackb": "side_effect=ValueError",
    "uuid.uuid4": "return_value=5",
    "os.urandom": "return_value=5",
    "socket.socket.send": "return_value=1",
    "socket.socket.recv": "return_value=b'x'",
    "builtins.open": "side_effect=ValueError",
    "builtins.print": "side_effect=ValueError",
}


@pytest.mark.parametrize("name", PATCHED)
def test_a_session_outlives_a_function_that_stays_patched(worker: Worker, name: str) -> None:
    worker.run(MOCK)
    module = name.split(".", maxsplit=1)[0]
    shown = worker.run(
        f"import {module}\nmock.patch({name!r}, {PATCHED[name]}).start()\n"
        "display(1)\nh = display(float('nan'), raw=False, display_id=True)\nsys.stdout.write('out\\n')\n5"
    )
    assert (shown.status, shown.text) == ("ok", "5"), shown.frames
    worker.send("variables", request="r")
    assert worker.expect("reply")["request"] == "r"
    assert worker.run("await asyncio.to_thread(lambda: 6)").status in ("ok", "error")
    assert worker.run("len(h.display_id)").text == "32"


@pytest.mark.parametrize("name", ["time.sleep", "signal.pthread_kill"])
def test_an_interrupt_comes_through_a_patched_function(worker: Worker, name: str) -> None:
    worker.run(f"{MOCK}import signal")
    execution = worker.start(f"with mock.patch({name!r}, side_effect=ValueError):\n    while True: pass")
    worker.expect("started")
    time.sleep(0.1)
    worker.send("interrupt", execution=execution)
    assert worker.expect("finished")["status"] == "interrupted"
    worker.backlog.clear()
    assert worker.run("1 + 1").text == "2"


def test_a_question_is_answered_while_a_read_is_patched(worker: Worker) -> None:
    worker.run(MOCK + "e = threading.Event()")
    execution = worker.start("with mock.patch('os.read', return_value=b''):\n    input('?')")
    request = worker.expect("input_request")["request"]
    worker.send("variables", request="r")
    assert worker.expect("reply")["request"] == "r"
    worker.send("input_reply", request=request, value="x")
    assert worker.finish(execution).status == "ok"


def test_a_mock_counts_no_calls_of_ours(worker: Worker) -> None:
    worker.run(MOCK)
    for name in ("time.sleep", "time.monotonic", "os.write", "os.fstat", "threading.get_ident"):
        code = f"with mock.patch({name!r}) as m:\n    sys.stdout.write('1')\n    display(1)\n    m.assert_not_called()"
        assert worker.run(code).status == "ok", name


def test_executions_begin_whatever_stands_in_the_place_of_the_loops_methods(worker: Worker) -> None:
    worker.run(MOCK + "asyncio.BaseEventLoop.call_soon_threadsafe = lambda *_, **__: None")
    assert worker.run("1 + 1").text == "2"


@pytest.mark.parametrize("name", ["dumps", "loads", "JSONEncoder"])
def test_frames_of_json_are_made_beside_a_patched_json(launcher: Launcher, name: str) -> None:
    worker = launcher.fork(codec="json")
    worker.run(MOCK + "import json")
    worker.run(f"mock.patch('json.{name}', side_effect=ValueError).start()")
    assert worker.run("display(1); 5").text == "5"
    launcher.kill(worker)
    worker.close()


def test_a_worker_ends_where_its_exit_is_patched(worker: Worker, launcher: Launcher) -> None:
    worker.run(MOCK + "mock.patch('os._exit').start()")
    worker.send("shutdown")
    assert launcher.expect("exited", pid=worker.pid)["code"] == 0


def test_the_loop_hands_signals_to_their_handlers_through_its_own_socket(worker: Worker) -> None:
    worker.run(MOCK + "import signal")
    run = worker.run(
        "came = asyncio.Event()\nasyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, came.set)\n"
        "with mock.patch('socket.socket.recv', return_value=b''):\n"
        "    os.kill(os.getpid(), signal.SIGUSR1); await asyncio.wait_for(came.wait(), 5)\n7"
    )
    assert run.text == "7", run.frames


# What runs in a session outside of the user's own calls, and of it the functions that run before user code does.
IN_A_SESSION: dict[str, set[str]] = {
    "child_waits": {"__init__"},
    "connection": {"protocol_fds"},
    "display": set(),
    "executor": {"__init__"},
    "first_in_child": {"install"},
    "fork_safety": set(),
    "fork_state": set(),
    "forking": set(),
    "frames": set(),
    "handles": set(),
    "input": {"__init__"},
    "interpreter": set(),
    "interrupts": {"__init__"},
    "kernel": set(),
    "namespace_copy": set(),
    "oom_score": set(),
    "output": {"_copy"},
    "requests": {"__init__"},
    "reseeding": set(),
    "script_end": set(),
    "session": {"run", "_open"},
    "signals": {"__init__"},
    "snapshots": set(),
    "stacks": set(),
    "stdin": set(),
    "stem": set(),
    "stdio": {"take_stdio", "__init__", "_rewire"},
    "threads": set(),
    "twin": set(),
    "working_folder": set(),
}
# Of the language rather than of the system.
PLAIN = {"contextlib", "functools"}
# nest_asyncio replaces the first two, and a task of ours must be of its kind; the third is a class that is raised.
MEANT = {"asyncio.Task", "asyncio.current_task", "asyncio.CancelledError"}


@pytest.mark.parametrize("module", IN_A_SESSION)
def test_no_function_of_ours_looks_up_at_call_time_what_may_be_patched(module: str) -> None:
    tree = ast.parse((SOURCES / f"{module}.py").read_text())
    imported = {name.name for node in tree.body if isinstance(node, ast.Import) for name in node.names} - PLAIN
    looked_up = set()
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and function.name not in IN_A_SESSION[module]:
            calls = (call for part in function.body for call in ast.walk(part) if isinstance(call, ast.Call))
            looked_up |= {
                name for name in (ast.unparse(call.func) for call in calls) if name.rpartition(".")[0] in imported
            }
    assert not looked_up - MEANT, "bind them at import"
