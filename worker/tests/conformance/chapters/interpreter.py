"""What code may ask of the interpreter that runs it: exec, depth and size, an end, its own source and warnings."""

import os

from agent import Worker
from conformance.case import Chapter

chapter = Chapter("The interpreter")
case, behaviour = chapter.case, chapter.behaviour

# Seconds that 10 MB of code may take on a busy machine.
LONG = 180.0

# exec, eval, compile.
case("exec and eval work in the namespace", "exec('x = 5')\nprint(eval('x + 1'), x)", plain=True)
case(
    "exec and eval with dictionaries of their own",
    "d = {}\nexec('y = 1\\ndef f(): return y', d)\nprint(d['f'](), 'y' in globals(), eval('a', {'a': 3}))",
    plain=True,
)
case(
    "exec in a function leaves its locals",
    "def f():\n    x = 1\n    exec('x = 2')\n    return x\nprint(f())",
    plain=True,
)
case("code that exec runs inherits no `await`", "exec('await x')", plain=True)
case(
    "compile in its three modes, and the tree",
    "import ast\nexec(compile('a = 1', 'f', 'exec'))\nprint(eval(compile('a', 'f', 'eval')))\n"
    "exec(compile('a + 1', 'f', 'single'))\nprint(ast.dump(ast.parse('a')))",
    plain=True,
)
case("an error in exec'd code shows its own file name", "exec(compile('\\n\\n1 / 0', 'made.py', 'exec'))", plain=True)
case(
    "code.InteractiveInterpreter and codeop work inside",
    "import code\ni = code.InteractiveInterpreter({})\nprint(i.runsource('for x in 1, 2:'), i.runsource('5 + 5'))",
    plain=True,
)
case(
    "runpy and importlib run other files",
    "import pathlib, runpy, sys, importlib\npathlib.Path('made_mod.py').write_text('x = __name__')\n"
    "sys.path.insert(0, '.')\n"
    "print(runpy.run_path('made_mod.py')['x'], importlib.import_module('made_mod').x, __name__)\n"
    "pathlib.Path('made_mod.py').unlink()",
    plain=True,
)

# Limits.
case(
    "endless recursion is an error, and the session goes on",
    "def f(n): return f(n + 1)",
    "try: f(0)\nexcept RecursionError as e: print(e)",
    "print('on')",
    plain=True,
)
case(
    "a repeated frame of a recursion is shown three times and counted",
    "import sys\nsys.setrecursionlimit(2000)\ndef f(): return f()",
    "f()",
    error="RecursionError",
    traceback=("f()", "[Previous line repeated", "more times]", "maximum recursion depth exceeded"),
)
case(
    "a recursion limit of the user's holds",
    "import sys\nsys.setrecursionlimit(5000)\ndef f(n): return n and f(n - 1)\nprint(f(4000), sys.getrecursionlimit())",
    plain=True,
)
case("deep brackets are an error", "[" * 5000 + "]" * 5000, traceback=("too many nested parentheses",))
case(
    "a hundred nested blocks are refused",
    "".join("    " * n + "if 1:\n" for n in range(101)) + "    " * 101 + "pass",
    plain=True,
)
case(
    "an expression of a thousand terms and a chain of a thousand elif run",
    "x = 999\nif x == 1000: pass\n"
    + "".join(f"elif x == {n}: y = {n}\n" for n in range(1000))
    + "print("
    + "+".join(["1"] * 1500)
    + ", y)\n"
    + "+".join(["y"] * 1500),
    plain=True,
)
case("a result out of a thousand terms", "größe = 1; " + "+".join(["größe"] * 1500), result="1500")
case("a value that was never stored makes no name", "[1, 2]", "'kept' in globals()", result="False")


def memory(worker: Worker) -> int:
    """The worker's peak of memory in bytes."""
    return int(worker.run("0").one("finished")["usage"]["maxRssBytes"])


@behaviour("10 MB of one-line statements run, in a tenth of the memory that one tree of them takes")
def _(worker: Worker) -> None:
    before = memory(worker)
    source = "x = 1\n" * ((10 << 20) // 6) + "x + 1"
    run = worker.finish(worker.start(source), timeout=LONG)
    assert run.text == "2"
    # As one tree: 2.5 to 4 GB.
    assert memory(worker) - before < 400 << 20


@behaviour("an error in 10 MB of code has its line")
def _(worker: Worker) -> None:
    lines = (10 << 20) // 10
    source = "x = 'aaaa'\n" * lines + "def f():\n    return 1 / 0\nf()\n"
    run = worker.finish(worker.start(source), timeout=LONG)
    assert f'File "<cell 1>", line {lines + 3}, in <module>' in run.traceback
    assert f'File "<cell 1>", line {lines + 2}, in f\n    return 1 / 0' in run.traceback


@behaviour("an interrupt ends the compiling of 10 MB of code")
def _(worker: Worker) -> None:
    execution = worker.start("print('ran')\n" + "x = 1\n" * ((10 << 20) // 6))
    worker.expect("started")
    worker.send("interrupt", execution=execution)
    run = worker.finish(execution, timeout=LONG)
    assert (run.status, run.out) == ("interrupted", b"")
    assert worker.run("5").text == "5"


@behaviour("a string of 10 MB is a value as any other")
def _(worker: Worker) -> None:
    assert worker.finish(worker.start(f"x = '{'a' * (10 << 20)}'\nlen(x)")).text == str(10 << 20)


# Ends.
case("sys.exit ends the execution", "kept = 1\nimport sys\nsys.exit(3)", error="SystemExit", message="3")
case("`exit()` and `quit()` exist and end the execution", "quit()", error="SystemExit")


@behaviour("sys.exit ends the execution and not the session")
def _(worker: Worker) -> None:
    for code in ("kept = 5\nimport sys\nsys.exit('bye')", "exit(0)", "raise SystemExit"):
        run = worker.run(code)
        assert (run.status, run.error["name"]) == ("error", "SystemExit")
    assert worker.run("kept").text == "5"


case("os._exit ends the worker with its code", "import os; os._exit(3)", ends=3)
case("a segmentation fault ends the worker by SIGSEGV", "import ctypes; ctypes.string_at(0)", ends="SIGSEGV")
case("os.abort ends the worker by SIGABRT", "import os; os.abort()", ends="SIGABRT")
case(
    "a signal from outside ends the worker by its name",
    "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
    ends="SIGTERM",
)


@behaviour("a forked child that exits is not the session")
def _(worker: Worker) -> None:
    run = worker.run(
        "import os\npid = os.fork()\nif not pid: os._exit(4)\nos.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])"
    )
    assert run.text == "4"
    assert worker.run("os.getpid()").text == str(worker.pid)
    assert os.path.exists(f"/proc/{worker.pid}")


# Introspection and warnings.
case(
    "inspect.getsource of a function of the session",
    "import inspect\ndef f(a):\n    # note\n    return a\nprint(inspect.getsource(f))",
    plain=True,
)
case(
    "warnings name the right line",
    "import warnings\ndef f():\n    warnings.warn('careful', UserWarning, stacklevel=2)\nx = 1\nf()",
    plain=True,
)
case(
    "a warning is told once for its place, and again by another",
    "import warnings\nfor _ in range(3): warnings.warn('careful')\nwarnings.warn('careful')",
    plain=True,
)
case(
    "a deprecation that the session's own code triggers is shown",
    "import warnings\nwarnings.warn('old', DeprecationWarning)",
    plain=True,
)
case("a SyntaxWarning has the right line", "x = 1\nx is 1\nprint('ran')", plain=True)
case(
    "warnings may be made errors",
    "import warnings\nwarnings.simplefilter('error')",
    "warnings.warn('now fatal')",
    plain=True,
)
case(
    "help, pydoc and docstrings",
    "import pydoc\ndef f(a: int = 1) -> str:\n    '''Does it.'''\n"
    "print(pydoc.render_doc(f, renderer=pydoc.plaintext), f.__doc__)",
    plain=True,
)
case(
    "sys.argv, sys.flags and the interpreter's name are a plain one's",
    "import sys\n"
    "print(len(sys.argv), sys.flags.optimize, sys.executable == sys._base_executable or sys.prefix != sys.base_prefix)",
    plain=True,
)
