"""Errors and their tracebacks: the user's frames and lines, as plain Python prints them."""

from agent import Worker
from conformance.case import Chapter

chapter = Chapter("Errors")
case, behaviour = chapter.case, chapter.behaviour

case(
    "name, message and traceback",
    "def f():\n    return 1 / 0\nf()",
    error="ZeroDivisionError",
    message="division by zero",
    traceback=(
        "Traceback (most recent call last):\n",
        'File "<cell 1>", line 3, in <module>\n    f()',
        'File "<cell 1>", line 2, in f\n    return 1 / 0',
        "ZeroDivisionError: division by zero\n",
    ),
)
case(
    "a traceback is that of `python FILE` to the byte",
    "class A:\n    def f(self, n):\n        return [self.f(n - 1) if n else {}['k'] for _ in range(1)]\n"
    "(lambda: A().f(2))()",
    plain=True,
)
case(
    "frames of several executions show each its own lines",
    "def f():\n    return g()",
    "def g():\n    return 1 / 0",
    "x = 1\nf()",
    plain=True,
)
case(
    "frames of functions that were defined anew show the lines that ran",
    "def f():\n    raise ValueError('old')\nold = f",
    "def f():\n    pass",
    "old()",
    plain=True,
)
case("an error in a library shows its frames too", "import json\njson.loads('{')", plain=True)
case("carets stand under what failed", "x = {'a': 1}\ny = x['a'] + x['b']['c']", plain=True)
case("carets under wide characters and tabs", "größe = '日本'\nif 1:\n\tprint(größe, 1 / 0, '日本')", plain=True)
case("causes: raise from", "try: 1 / 0\nexcept ZeroDivisionError as e: raise ValueError('bad') from e", plain=True)
case(
    "contexts: an error while another is handled",
    "try:\n    try: 1 / 0\n    except ZeroDivisionError: {}['k']\nexcept KeyError: int('x')",
    plain=True,
)
case(
    "`from None` hides the context",
    "try: 1 / 0\nexcept ZeroDivisionError: raise ValueError('bad') from None",
    plain=True,
)
case(
    "a cause that is its own context, and a cycle",
    "a, b = ValueError('a'), ValueError('b')\na.__context__, b.__context__ = b, a\nraise a",
    plain=True,
)
case(
    "notes",
    "try: int('x')\nexcept ValueError as e:\n    e.add_note('a note')\n    e.add_note('of\\ntwo lines')\n    raise",
    plain=True,
    since=(3, 11),
)
case(
    "exception groups, nested, with causes and notes",
    "def f(n):\n    try: [][n]\n    except IndexError as e:\n        try: raise TypeError(n) from e\n"
    "        except TypeError as t: return t\ninner = ExceptionGroup('inner', [f(1), ValueError('v')])\n"
    "inner.add_note('noted')\nraise ExceptionGroup('outer', [inner, KeyError('k')])",
    plain=True,
    since=(3, 11),
)
case(
    "a group of exits and interrupts is an error of the execution",
    "raise BaseExceptionGroup('g', [KeyboardInterrupt(), SystemExit(1)])",
    plain=True,
    since=(3, 11),
)
case(
    "exceptions of the session's own, with arguments",
    "class MyError(Exception):\n    def __init__(self, a, b): super().__init__(a, b)\n"
    "    def __str__(self): return f'{self.args[0]} of\\ntwo lines'\nraise MyError('text', 2)",
    plain=True,
    since=(3, 11),
)
case(
    "an exception whose `__str__` fails",
    "class E(Exception):\n    def __str__(self): raise RuntimeError('no')\nraise E('x')",
    plain=True,
    since=(3, 11),
)
case(
    "an exception whose `__str__` gives no text",
    "class E(Exception):\n    def __str__(self): return 5\nraise E('x')",
    plain=True,
    since=(3, 11),
)
case(
    "an exception whose `__repr__` fails has a message all the same",
    "class E(Exception):\n    def __str__(self): raise RuntimeError\nraise E",
    error="E",
    message="<E.__str__ raised RuntimeError>",
)
case("what is no exception cannot be raised", "raise 'text'", plain=True)
case(
    "an exception class is made an exception", "class E(Exception):\n    def __init__(self): 1 / 0\nraise E", plain=True
)
case("a name that looks like another is suggested", "values = [1]\nvaluse.append(2)", plain=True, since=(3, 11))
case(
    "a local, a builtin and an attribute are suggested, in causes too",
    "class A:\n    colour = 1\ndef f():\n    number = 1\n    try: nunber\n    except NameError as e:\n"
    "        try: pritn(1)\n        except NameError as g: raise KeyError from g\n"
    "try: f()\nexcept KeyError: A().color",
    plain=True,
    since=(3, 11),
)
case("an attribute and a module are suggested", "import math\nmath.sqtr(2)", plain=True)
case("a module that is missing", "import surely_not_there", plain=True)
case(
    "messages of KeyError, OSError, UnicodeDecodeError",
    "for f in (lambda: {}['k'], lambda: open('/nowhere/at/all'), lambda: b'\\xff'.decode()):\n    try: f()\n"
    "    except Exception as e: print(repr(e), e)\nopen('/nowhere/at/all')",
    plain=True,
)
case(
    "an error in a class body, a default and a decorator",
    "def d(f): raise ValueError('d')\nclass A:\n    x = 1\n    @d\n    def f(self): ...",
    plain=True,
)
case(
    "an error in a property, a descriptor and `__getattr__`",
    "class A:\n    @property\n    def x(self): return self.y\n"
    "    def __getattr__(self, n): raise AttributeError('mine: ' + n)\nA().x",
    plain=True,
)
case(
    "an error in a generator, where it is iterated",
    "def g():\n    yield 1\n    raise ValueError('in g')\nlist(g())",
    plain=True,
)
case("an error in a callback of C code", "sorted([3, 1], key=lambda n: 1 / (n - 1))", plain=True)
case(
    "an error in a `with`'s exit",
    "class M:\n    def __enter__(self): ...\n    def __exit__(self, *a): raise KeyError('exit')\nwith M(): 1 / 0",
    plain=True,
)
case("an error over several lines", "x = (1 +\n     2 +\n     None)", plain=True)
case(
    "StopIteration out of a generator, and at the top", "def g():\n    next(iter(()))\n    yield\nlist(g())", plain=True
)
case(
    "an error that is raised again keeps its frames",
    "def f(): raise ValueError('once')\ntry: f()\nexcept ValueError as e: kept = e",
    "raise kept",
    plain=True,
)
case(
    "`traceback.print_exc` in the user's own handler",
    "import traceback\ndef f(): 1 / 0\ntry: f()\nexcept ZeroDivisionError: traceback.print_exc()\nprint('on')",
    plain=True,
)
case(
    "`traceback.print_stack` and `sys._getframe` of a session's function",
    "import traceback\ndef f(): return [s.name for s in traceback.extract_stack()][-2:]\nprint(f())",
    plain=True,
)
case(
    "`logging.exception` writes the traceback",
    "import logging\nlogging.basicConfig(format='%(message)s')\ntry: 1 / 0\n"
    "except ZeroDivisionError: logging.exception('seen')",
    plain=True,
)
case("`sys.exc_info` is empty when an execution begins", "1 / 0", "import sys\nprint(sys.exc_info())", plain=True)
case(
    "a failing `__del__` is told on stderr",
    "class A:\n    def __del__(self): raise ValueError('in del')\na = A()\ndel a\nprint('on')",
    out="on\n",
)
case(
    "a recursion that fails in its handler",
    "def f():\n    try: f()\n    finally: pass\ntry: f()\nexcept RecursionError: print('caught')",
    plain=True,
)

# What does not compile.
case("a syntax error has its line and caret", "x = 1\nif x:\n    y = (1 2)", plain=True)
case("an unclosed bracket", "x = (1,\ny = 2", plain=True)
case("an unclosed string", "x = 1\ny = 'abc", plain=True)
case("an unclosed text of several lines", "x = '''\nabc", plain=True)
case("a wrong indent", "x = 1", "def f():\nreturn 1", plain=True)
case("an unexpected indent", "x = 1\n  y = 2", plain=True)
case("tabs and blanks mixed", "if 1:\n\tx = 1\n        y = 2", plain=True)
case("`return` out of place", "x = 1\nreturn x", plain=True)
case("`yield` out of place", "x = 1\ny = yield x", plain=True)
case("`break` out of place", "if 1:\n    break", plain=True)
case("`continue` out of place", "continue", plain=True)
case("an assignment to what is no name", "f() = 1", plain=True)
case("a keyword argument twice", "f(a=1, a=2)", plain=True)
case("a parameter twice", "x = 1\ndef f(a, a): pass", plain=True)
case("print without brackets is told what to do", "print 'text'", plain=True)
case("`=` for `==` in a condition", "if x = 1: pass", plain=True)
case("a wrong character", "x = 5€", plain=True)
case("a caret under wide characters", "x = 1", "größe = '日本' 5", plain=True)
case("an error in an f-string", "x = f'{1 +}'", plain=True)
case("a star out of place", "print(*)", plain=True)
case("what does not compile runs not at all", "print('ran')\nx = = 1", error="SyntaxError", out="")
case(
    "a syntax error in an imported module shows its file",
    "import pathlib, sys\npathlib.Path('broken_mod.py').write_text('x = = 1')\nsys.path.insert(0, '')\n"
    "try: import broken_mod\nfinally: pathlib.Path('broken_mod.py').unlink()",
    plain=True,
)
case("a syntax error in eval and exec shows `<string>`", "exec('x = = 1')", plain=True)
case("a NUL byte is a syntax error with its line", "a = 1\nb\0c", error="SyntaxError", traceback=("line 2",))


@behaviour("no frame of ours stands in a traceback that the user's code makes")
def _(worker: Worker) -> None:
    worker.run(
        "import traceback\ndef f():\n    try: 1 / 0\n    except ZeroDivisionError: return traceback.format_exc()"
    )
    assert "replpool" not in worker.run("f()").text
    assert "replpool" not in worker.run("import asyncio\nawait asyncio.sleep(0)\nf()").text


@behaviour("a long traceback keeps its first and last frames")
def _(worker: Worker) -> None:
    run = worker.run("def a(n): return b(n - 1) if n else 1 / 0\ndef b(n): return a(n - 1) if n else 1 / 0\na(900)")
    assert run.traceback.count("in a\n") > 400
    assert run.traceback.endswith("ZeroDivisionError: division by zero\n")


@behaviour("a message of 100 MB is cut with a warning, and the session goes on")
def _(worker: Worker) -> None:
    run = worker.run("raise ValueError('x' * (100 << 20))")
    assert run.one("warning")["code"] == "OUTPUT_TRUNCATED"
    assert run.error["name"] == "ValueError"
    assert len(run.error["message"]) < 2 << 20
    assert worker.run("5").text == "5"
