"""Code that takes the session's ground away: it works as in an interactive Python, is an error, or ends loudly."""

import os
from pathlib import Path

import pytest

from agent import Launcher, Worker

SURVIVED = {
    "a key that is no text": "globals()[1] = 1",
    "a key that compares": (
        "class K(str):\n    __hash__ = str.__hash__\n    def __eq__(self, other): raise SystemExit\n"
        "globals()[K('hidden')] = 1"
    ),
    "a lone surrogate": "globals()['\\ud800'] = 1",
    "a NUL": "globals()['a\\0b'] = 1",
    "no __name__": "del globals()['__name__']",
    "no __builtins__": "del globals()['__builtins__']",
    "nothing": "globals().clear()",
    "no __main__": "import sys; del sys.modules['__main__']",
    "no modules of ours": "import sys\nfor n in list(sys.modules):\n    if 'replpool' in n: del sys.modules[n]",
    "no streams": "import sys; out = sys.stdout; del sys.stdout, sys.stderr, sys.stdin; __import__('sys').stdout = out",
    "a broken stderr": "import sys; sys.stderr = 5",
    "a broken flush": "import sys; sys.stdout.flush = lambda: 1 / 0",
    "no print in builtins": "import builtins; del builtins.input; p = builtins.print; del builtins.print; print = p",
    "traced threads": "import threading\ndef t(*_): raise ValueError\nthreading.settrace(t); threading.setprofile(t)",
    "no loop": "import asyncio; asyncio.set_event_loop(None)",
    "a stopped loop": "import asyncio; asyncio.get_running_loop().stop()",
    "a task factory": "import asyncio; asyncio.get_running_loop().set_task_factory(lambda *a, **k: 1 / 0)",
    "a deaf loop": "import asyncio; asyncio.get_running_loop().call_soon_threadsafe = lambda *a, **k: None",
    "no folder": "import os, tempfile; d = tempfile.mkdtemp(); os.chdir(d); os.rmdir(d)",
    "no environment": "import os; os.environ.clear()",
    "a umask": "import os; os.umask(0o777)",
    "no descriptors 0 and 2": "import os; os.close(0); os.close(2)",
    "an atexit handler": "import atexit, os; atexit.register(os._exit, 1); atexit._run_exitfuncs and None",
    "an exit in a thread": "import sys, threading; t = threading.Thread(target=sys.exit); t.start(); t.join()",
    "a raising weakref": "import weakref\nclass A: pass\na = A(); r = weakref.ref(a, lambda _: 1 / 0); del a",
    "an exiting background task": (
        "import asyncio, sys\nasync def f(): sys.exit(1)\nsys.stderr = None\ntask = asyncio.create_task(f())"
    ),
    "a low descriptor limit": "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))",
}


@pytest.mark.parametrize("case", SURVIVED)
def test_the_session_survives(worker: Worker, case: str) -> None:
    run = worker.run(f"kept = 5\n{SURVIVED[case]}")
    assert run.status == "ok", run.traceback
    names = run.one("finished")["variables"]
    assert all(type(name) is str for changed in names.values() for name in changed)
    after = worker.run("kept = globals().get('kept', 5)\nprint('seen')\nkept")
    assert (after.text, after.out) == ("5", b"seen\n")
    assert worker.run("from asyncio import sleep; await sleep(0); 6").text == "6"
    assert "ZeroDivisionError" in worker.run("1 / 0").traceback
    assert "kept" in [item["name"] for item in worker.ask("variables")["value"]["items"]]
    if case != "a low descriptor limit":
        assert "kept" in worker.ask("complete", code="kep", cursor=3)["value"]["matches"]


@pytest.mark.parametrize("what", ["settrace", "setprofile"])
def test_a_trace_function_that_raises_is_the_executions_error(worker: Worker, what: str) -> None:
    assert worker.run(f"import sys\ndef trace(*_): raise ValueError\nsys.{what}(trace)").status in ("ok", "error")
    worker.run("def f(): pass\nf()")
    worker.run(f"sys.{what}(None)")
    assert worker.run("f(); 5").text == "5"


def test_the_lowest_recursion_limit_leaves_room_for_the_worker(worker: Worker) -> None:
    run = worker.run(
        "import sys\nfor n in range(1, 100):\n    try: sys.setrecursionlimit(n)\n    except RecursionError: continue\n"
        "    break"
    )
    assert run.status == "ok"
    assert worker.run("1 / 0").error["name"] == "ZeroDivisionError"
    assert worker.run("def f(): f()\nf()").error["name"] == "RecursionError"
    assert worker.run("sys.setrecursionlimit(1000)").status == "ok"
    assert worker.run("print('seen')").out == b"seen\n"


LOST = {
    "all descriptors but the streams": "import os; os.closerange(3, 4096)",
    "all descriptors": "import os; os.closerange(0, 4096)",
    "descriptors, and new files": "import os; os.closerange(3, 4096); files = [open('/dev/null') for _ in range(99)]",
    "builtins": "import builtins; vars(builtins).clear()",
    "isinstance": "import builtins; del builtins.isinstance, builtins.len",
    "calls that all fail": "import builtins; builtins.repr = builtins.len = builtins.isinstance = lambda *_: 1 / 0",
}


@pytest.mark.parametrize("case", LOST)
def test_a_session_that_cannot_go_on_ends_and_does_not_hang(launcher: Launcher, case: str) -> None:
    worker = launcher.fork()
    worker.start(LOST[case])
    worker.start("1")
    assert launcher.expect("exited", pid=worker.pid)["code"] == 70
    launcher.kill(worker)
    worker.close()


def test_no_frame_goes_into_a_file_that_got_the_protocols_number(launcher: Launcher, tmp_path: Path) -> None:
    worker = launcher.fork()
    path = str(tmp_path / "mine")
    worker.start(
        f"import os\nfd = int(os.environ['PYREPL_PROTOCOL_FDS'].split(',')[0])\n"
        f"os.dup2(os.open({path!r}, os.O_CREAT | os.O_RDWR), fd)"
    )
    assert launcher.expect("exited", pid=worker.pid)["code"] == 70
    assert (tmp_path / "mine").read_bytes() == b""
    launcher.kill(worker)
    worker.close()


HOSTILE = {
    "metaclass": (
        "class M(type):\n    def __getattribute__(self, name): raise SystemExit\n    __repr__ = __getattribute__\n"
        "class C(metaclass=M): pass\nx = C(); y = C"
    ),
    "a class that compares": (
        "class M(type):\n    def __eq__(self, *_): raise SystemExit\n"
        "    __hash__ = __bool__ = __instancecheck__ = __eq__\n"
        "class C(metaclass=M): pass\nclass D(dict, metaclass=M):\n    def __len__(self): raise SystemExit\n"
        "    __iter__ = keys = items = __getitem__ = __sizeof__ = __len__\nx = C(); y = [C, D(a=C()), {1: x}]; z = D()"
    ),
    "an attribute that is asked": (
        "class N(str):\n    def __eq__(self, other): raise SystemExit\n    __hash__ = str.__hash__\n"
        "class C:\n    __slots__ = ('__dict__', 'a')\n    def __getattribute__(self, name): raise SystemExit\n"
        "x = C(); y = [x]; object.__getattribute__(x, '__dict__')[N('_mgr')] = 1"
    ),
    "everything": (
        "class C:\n    def __bool__(self, *_): raise SystemExit\n"
        "    __eq__ = __len__ = __iter__ = __getattribute__ = __repr__ = __str__ = __bool__\n"
        "    __hash__ = lambda self: 1\nx = C(); y = [x, {x: x}, (x,)]"
    ),
    "a class's module": (
        "class Q(str):\n    def __eq__(self, other): raise SystemExit\n    __hash__ = str.__hash__\n"
        "class C: __module__ = Q('builtins')\nx = C(); y = C"
    ),
    "a class's name": (
        "class Q(str):\n    def __format__(self, how): raise SystemExit\n    __str__ = __repr__ = __format__\n"
        "class C: pass\nC.__name__ = Q('C'); x = C(); y = C"
    ),
    "a false ndarray": (
        "class ndarray:\n    __module__ = 'numpy'\n    @property\n    def shape(self): raise SystemExit\n"
        "x = ndarray(); y = ndarray"
    ),
    "a false DataFrame": (
        "class DataFrame:\n    __module__ = 'pandas'\n    def __getattr__(self, name): raise SystemExit\n"
        "    _mgr = property(__getattr__)\nx = DataFrame(); y = DataFrame"
    ),
    "a buffer": "class B(bytearray):\n    def __buffer__(self, *_): raise SystemExit\nx = B(9); y = [x]",
    "a false __class__": (
        "class C:\n    @property\n    def __class__(self): raise SystemExit\n    __name__ = __class__\nx = C(); y = [x]"
    ),
    "a huge integer": "import sys\nif hasattr(sys, 'set_int_max_str_digits'): sys.set_int_max_str_digits(0)\n"
    "x = 1 << (1 << 27); y = [x, range(x)]",
    "a false Tensor": (
        "class Q:\n    def __eq__(self, *_): raise SystemExit\n    __repr__ = __iter__ = __eq__\n    __hash__ = None\n"
        "class Tensor:\n    __module__ = 'torch'\n    def __init__(self):\n"
        "        self._version = (Q(),); self.shape = self.dtype = self.nbytes = Q()\nx = Tensor(); y = [x]"
    ),
    "a false dtype": (
        "from types import SimpleNamespace as N\nclass R:\n    def __format__(self, how): raise SystemExit\n"
        "class Series:\n    __module__ = 'pandas'\n    def __init__(self, dtype):\n"
        "        self._mgr = N(axes=[0], blocks=(N(values=N(_dtype=dtype)),))\n"
        "class DatetimeTZDtype: _tz = _unit = property()\ny = DatetimeTZDtype(); vars(y).update(_unit=R(), _tz=R())\n"
        "x = Series(N(itemsize=1, kind='V', names=(R(),), fields={})); y = Series(y)"
    ),
    "a false Dataset": (
        "class R:\n    def __repr__(self): raise SystemExit\n    __len__ = __index__ = __int__ = __repr__\n"
        "class L(dict):\n    def values(self): raise SystemExit\n    __len__ = values\n"
        "class Dataset:\n    __module__ = 'xarray'\n    _dims = property(lambda self: 1 / 0)\n"
        "    def __init__(self, held): vars(self).update(_dims={'a': R()}, _variables=held)\n"
        "x = Dataset({}); y = Dataset(L())"
    ),
    "a module": "import types\nx = types.ModuleType('m'); del x.__name__\nx.__getattr__ = lambda name: 1 / 0; y = [x]",
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_values_are_listed_without_being_asked(worker: Worker, case: str) -> None:
    run = worker.run(HOSTILE[case])
    assert run.status == "ok", run.traceback
    items = {item["name"]: item for item in worker.ask("variables")["value"]["items"]}
    assert {"x", "y"} <= items.keys()
    assert "preview" in worker.ask("variables", name="y")["value"]
    run = worker.run("z = 1 + 1\nz")
    assert (run.text, run.one("finished")["variables"]["deleted"]) == ("2", [])


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("class E(Exception):\n    def __getattribute__(self, name): raise KeyboardInterrupt\nraise E", "E"),
        ("class E(Exception):\n    def __str__(self): raise SystemExit\nraise E", "E"),
        (
            "class M(type):\n    def __getattribute__(self, name): raise KeyboardInterrupt\n"
            "class E(Exception, metaclass=M): pass\nraise E",
            "E",
        ),
    ],
)
def test_hostile_exceptions_are_errors(worker: Worker, code: str, name: str) -> None:
    run = worker.run(code)
    assert (run.status, run.error["name"]) == ("error", name)
    assert worker.run("1 + 1").text == "2"


def test_a_finalizer_that_never_ends_can_be_interrupted(worker: Worker) -> None:
    code = "class F:\n    def __del__(self):\n        print('in', flush=True)\n        while True: pass\n"
    worker.run(code)
    execution = worker.start("_ = None\nF()\n")
    worker.expect("started")
    worker.expect("finished", execution=execution)
    execution = worker.start("5")
    worker.expect("started", execution=execution)
    seen = b""
    while seen != b"in\n":
        try:
            seen += os.read(worker.pipes[0], 10)
        except BlockingIOError:
            continue
    worker.send("interrupt", execution=execution)
    worker.expect("finished", execution=execution)
    assert worker.run("1 + 1").text == "2"


def test_the_users_own_trace_and_recursion_limit_hold_from_one_execution_to_the_next(worker: Worker) -> None:
    worker.run("import sys\ncalls = []\nsys.settrace(lambda frame, *_: calls.append(frame.f_code.co_name))")
    worker.run("def traced(): pass\ntraced()")
    run = worker.run("sys.settrace(None)\n[name for name in calls if name == 'traced'], len(calls)")
    assert run.text.startswith("(['traced'], ")
    worker.run("sys.setrecursionlimit(200)\ndef deep(n): return n and deep(n - 1)")
    assert worker.run("sys.getrecursionlimit()").text == "200"
    assert worker.run("deep(300)").error["name"] == "RecursionError"


def test_input_reads_a_stdin_that_the_user_put_there(worker: Worker) -> None:
    assert worker.run("import io, sys\nsys.stdin = io.StringIO('5\\n')\ninput('? ')").text == "'5'"
    assert worker.run("input()").error["name"] == "EOFError"


def test_code_that_nests_too_deep_or_is_long_is_an_error_or_runs(worker: Worker) -> None:
    assert worker.run("[" * 5000 + "]" * 5000).status == "error"
    assert worker.run("lambda:" * 3000 + "1").status == "error"
    assert worker.run(f"x = '{'a' * (10 << 20)}'\nlen(x)").text == str(10 << 20)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing_works(worker: Worker, method: str) -> None:
    code = f"import multiprocessing as m\nwith m.get_context({method!r}).Pool(1) as p: r = p.map(abs, [-1])\nr"
    assert worker.run(code).text == "[1]"
