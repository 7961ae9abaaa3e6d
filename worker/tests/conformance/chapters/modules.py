"""Classes and functions of the session as modules see them: pickle, inspect, doctest, unittest, threads, processes."""

from agent import Worker
from conformance.case import Chapter

chapter = Chapter("Modules and pickling")
case, behaviour = chapter.case, chapter.behaviour

case(
    "a class of the session is `__main__`'s, and so is a function",
    "class A:\n    def f(self): ...\ndef g(): ...\nprint(A, A.f.__qualname__, g.__module__, A.__module__)",
    plain=True,
)
case(
    "instances of a class of the session pickle, with every protocol",
    "import pickle\nclass A:\n    def __init__(self): self.x = [self]\n"
    "for n in range(pickle.HIGHEST_PROTOCOL + 1):\n    a = pickle.loads(pickle.dumps(A(), n))\n"
    "    print(type(a) is A, a.x[0] is a)",
    plain=True,
)
case(
    "functions and classes of the session pickle by reference",
    "import pickle\ndef f(): ...\nclass A:\n    class B: ...\n"
    "print(pickle.loads(pickle.dumps((f, A, A.B))) == (f, A, A.B))",
    plain=True,
)
case(
    "dataclasses, enums and named tuples of the session pickle",
    "import pickle, enum, dataclasses, collections\n@dataclasses.dataclass\nclass D:\n    x: int\n"
    "E = enum.Enum('E', 'A B')\nN = collections.namedtuple('N', 'a b')\n"
    "print(pickle.loads(pickle.dumps([D(1), E.A, N(1, 2)])))",
    plain=True,
)
case(
    "a pickle made in one execution is read in the next",
    "import pickle\nclass A:\n    x = 1\ndata = pickle.dumps(A())",
    "print(pickle.loads(data).x)",
    plain=True,
)
case(
    "an object pickled before its class was defined anew gets the new one",
    "import pickle\nclass A:\n    v = 1\ndata = pickle.dumps(A())",
    "class A:\n    v = 2",
    "print(pickle.loads(data).v)",
    plain=True,
)
case(
    "copy and deepcopy of instances",
    "import copy\nclass A:\n    def __init__(self): self.x = [1]\n"
    "a = A(); b = copy.copy(a); c = copy.deepcopy(a)\nprint(b.x is a.x, c.x is a.x, type(c) is A)",
    plain=True,
)
case(
    "shelve keeps instances on disk",
    "import shelve, tempfile, os\nclass A:\n    x = 4\nwith tempfile.TemporaryDirectory() as d:\n"
    "    with shelve.open(os.path.join(d, 's')) as s: s['a'] = A()\n"
    "    with shelve.open(os.path.join(d, 's')) as s: print(s['a'].x)",
    plain=True,
)
case(
    "sys.modules['__main__'] is the session's module",
    "import sys\nx = 7\nprint(sys.modules['__main__'].x, vars(sys.modules['__main__']) is globals())",
    plain=True,
)
case(
    "a module sees the session by `import __main__`",
    "import types, sys\nm = types.ModuleType('m')\n"
    "exec('def f():\\n    import __main__\\n    return __main__.x', vars(m))\nx = 1",
    "x = 2\nprint(m.f())",
    plain=True,
)
case(
    "inspect.getsource of functions, methods and lambdas",
    "import inspect\ndef f(a):\n    # note\n    return a\nclass A:\n    def g(self):\n        return 'ü'\n"
    "h = lambda: 5\nfor one in (f, A.g, h): print(inspect.getsource(one), inspect.getsourcelines(one)[1])",
    plain=True,
)
case(
    "inspect.getsource of a function of an earlier execution",
    "x = 1\ndef f():\n    return 'first'",
    "def f2(): return 'second'",
    "import inspect\nprint(inspect.getsource(f), inspect.getsource(f2))",
    out="def f():\n    return 'first'\n def f2(): return 'second'\n\n",
)
case(
    "inspect.getsource of a class of the session is refused as in an interactive Python",
    "class A:\n    x = 1",
    "import inspect\nprint(inspect.getsource(A))",
    plain=True,
)
case(
    "inspect.signature, and the frames of a call",
    "import inspect\ndef f(a, *, b: int = 2) -> None:\n"
    "    return [(i.function, i.lineno) for i in inspect.stack()][:2]\nprint(inspect.signature(f), f(1))",
    plain=True,
)
case(
    "doctest.testmod tests the session's functions",
    "def f(n):\n    '''\n    >>> f(2)\n    4\n    >>> f(3)\n    7\n    '''\n    return n * 2",
    "import doctest\nprint(doctest.testmod())",
    plain=True,
)
case(
    "doctest.run_docstring_examples",
    "import doctest\ndef f():\n    '''\n    >>> f() + 1\n    2\n    '''\n    return 1\n"
    "doctest.run_docstring_examples(f, globals(), verbose=True)",
    plain=True,
)
case(
    "unittest.main runs the session's test cases",
    "import unittest, sys\nclass T(unittest.TestCase):\n    def test_a(self): self.assertEqual(1, 1)\n"
    "    def test_b(self): self.assertEqual(1, 2)\n"
    "runner = unittest.TextTestRunner(stream=sys.stdout, verbosity=0)\n"
    "r = unittest.main(argv=['x'], exit=False, testRunner=runner).result\nr.testsRun, len(r.failures)",
    result="(2, 1)",
)
case(
    "logging, pprint, json, re, textwrap and friends",
    "import json, logging, pprint, re, sys, textwrap\nlogging.basicConfig(stream=sys.stdout, level='INFO')\n"
    "logging.info('said')\npprint.pprint({'b': 1, 'a': [2] * 3})\n"
    "print(json.dumps({'ü': 1}), re.findall('a+', 'caaab'), textwrap.shorten('a b c', 3))",
    plain=True,
)
case(
    "logging names the line and function that called",
    "import logging, sys\n"
    "logging.basicConfig(stream=sys.stdout, format='%(name)s %(filename)s %(funcName)s %(lineno)d %(message)s')\n"
    "def f():\n    logging.error('x')\nf()",
    plain=True,
)
case(
    "timeit, cProfile and dis see the session's functions",
    "import dis, timeit, cProfile, io, contextlib\ndef f(): return 1 + 1\n"
    "print(timeit.timeit(f, number=3) > 0, timeit.timeit('f()', globals=globals(), number=3) > 0)\ndis.dis(f)\n"
    "p = cProfile.Profile()\nprint(p.runcall(f))",
    plain=True,
)
case(
    "sys.settrace sees the user's own lines",
    "import sys\nseen = []\ndef t(frame, event, arg):\n"
    "    seen.append((frame.f_code.co_name, event, frame.f_lineno))\n    return t\ndef f():\n    x = 1\n"
    "    return x\nsys.settrace(t)\nf()\nsys.settrace(None)\nprint(seen)",
    plain=True,
)
case(
    "weakref, gc and __del__ at once",
    "import weakref, gc\nclass A:\n    def __del__(self): print('gone')\na = A(); r = weakref.ref(a)\ndel a\n"
    "print(r(), gc.collect() >= 0)",
    plain=True,
)
case(
    "threads, locks, queues and thread locals",
    "import threading, queue\nq = queue.Queue()\nl = threading.local()\ndef f(n):\n    l.x = n\n"
    "    q.put(l.x * 2)\nts = [threading.Thread(target=f, args=(n,)) for n in range(5)]\n"
    "[t.start() for t in ts]; [t.join() for t in ts]\n"
    "print(sorted(q.queue), threading.current_thread() is threading.main_thread(), hasattr(l, 'x'))",
    plain=True,
)
case(
    "concurrent.futures, threads and processes, with the session's functions",
    "from concurrent.futures import ThreadPoolExecutor, ProcessPoolExecutor\nimport multiprocessing as m\n"
    "def f(n): return n * n\nif __name__ == '__main__':\n"
    "    with ThreadPoolExecutor(2) as p: print(list(p.map(f, range(4))))\n"
    "    with ProcessPoolExecutor(2, m.get_context('fork')) as p: print(list(p.map(f, range(4))))",
    plain=True,
)
case(
    "subprocesses, their output and their failures",
    "import subprocess, sys\n"
    "print(subprocess.run(['echo', 'hi'], capture_output=True, text=True).stdout)\n"
    "print(subprocess.check_output([sys.executable, '-c', 'print(5)']))\n"
    "subprocess.run(['false'], check=True)",
    plain=True,
)
case(
    "signal handlers and alarms",
    "import signal, time\ndef h(n, f): raise TimeoutError('late')\nsignal.signal(signal.SIGALRM, h)\n"
    "signal.setitimer(signal.ITIMER_REAL, 0.05)\ntry: time.sleep(30)\nexcept TimeoutError as e: print(e)",
    plain=True,
)
case(
    "decimal's and other contexts persist",
    "import decimal\ndecimal.getcontext().prec = 5",
    "print(decimal.Decimal(1) / 3)",
    plain=True,
)
case(
    "sys.displayhook and sys.excepthook may be set",
    "import sys\nsys.displayhook = print\nsys.excepthook = lambda *a: None\nprint('set')",
    "print('on')",
    plain=True,
)
case("builtins may be shadowed and given back", "print = len", "x = print('abc')", "del print\nprint(x)", plain=True)


@behaviour("a module edited on disk is loaded anew by importlib.reload")
def _(worker: Worker) -> None:
    worker.run(
        "import pathlib, sys, tempfile, importlib\nfolder = tempfile.TemporaryDirectory()\n"
        "sys.path.insert(0, folder.name)\n"
        "sys.dont_write_bytecode = True\nfile = pathlib.Path(folder.name, 'edited.py')\nfile.write_text('x = 1')\n"
        "import edited"
    )
    assert worker.run("edited.x").text == "1"
    assert worker.run("file.write_text('x = 22')\nimportlib.reload(edited).x").text == "22"
