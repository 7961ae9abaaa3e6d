"""Results, names, and every form of statement."""

from conformance.case import Chapter

chapter = Chapter("Language")
case = chapter.case

# Results and names.
case("the value of the last expression is the result", "x = 1\nx + 1", result="2")
case("`_` is the last result", "20 + 1", "_ * 2", result="42")
case("a last expression that is None is no result", "print(None)\nNone", out="None\n")
case("only the last statement's value is the result", "1\n2; 3", result="3")
case("a docstring alone is a result", "'text'", result="'text'")
case("names persist from one execution to the next", "x = 1\ndef f(): return x", "x = 2", "print(f())", plain=True)
case("a failed execution keeps what it did before it failed", "x = 1\n1 / 0", "print(x)", plain=True)
case("the namespace is the module `__main__`", "import __main__\nx = 5\nprint(__main__.x, __name__)", plain=True)
case("`if __name__ == '__main__'` holds", "if __name__ == '__main__':\n    print('main')", plain=True)
case(
    "`globals()` is the namespace, and takes names", "globals()['x'] = 3", "print(x, globals() is locals())", plain=True
)
case(
    "`locals()` in a function are its own",
    "x = 1\ndef f(a):\n    b = 2\n    return locals()\nprint(f(1))",
    plain=True,
)
case("`vars()` and `dir()` see the session's names", "x = 1\nprint('x' in vars(), 'x' in dir())", plain=True)
case("`del` removes a name", "x = 1\ndel x", "x", error="NameError", message="name 'x' is not defined")
case("an empty source, blanks and comments run", "", "   ", "\n\n# nothing\n", "'end'", result="'end'")

# Statements.
case(
    "if, while, for, break, continue and else",
    "for n in range(9):\n    if n % 2: continue\n    if n > 5: break\n    print(n)\nelse: print('no')\n"
    "while n: n -= 1\nelse: print('done', n)",
    plain=True,
)
case(
    "try, except, else and finally",
    "for n in (0, 1):\n    try: print(1 // n)\n    except ZeroDivisionError as e: print('no', e)\n"
    "    else: print('yes')\n    finally: print('end')",
    plain=True,
)
case(
    "`except*` splits a group",
    "try:\n    raise ExceptionGroup('g', [ValueError(1), TypeError(2)])\nexcept* ValueError as e: print(e.exceptions)\n"
    "except* TypeError as e: print(e.exceptions)",
    plain=True,
    since=(3, 11),
)
case(
    "with, several managers, and one that swallows",
    "import contextlib\n@contextlib.contextmanager\ndef m(n):\n    print('in', n)\n    yield n\n    print('out', n)\n"
    "with m(1) as a, m(2) as b, contextlib.suppress(KeyError): {}[a + b]\nprint('after')",
    plain=True,
)
case(
    "with in parentheses",
    "import io\nwith (io.StringIO('a') as a, io.StringIO('b') as b):\n    print(a.read() + b.read())",
    plain=True,
)
case("assert, with its message", "assert 1 == 1\nassert 1 == 2, 'not so'", plain=True)
case(
    "assignments: chained, starred, augmented, annotated, walrus",
    "a = b = [1]\nc, *d = 1, 2, 3\na += [2]\ne: int = 5\nprint(a, b, c, d, e, (f := 6), f)",
    plain=True,
)
case("annotations of the namespace are kept", "x: int = 1\nprint(__annotations__)", plain=True, before=(3, 14))
case(
    "global and nonlocal",
    "x = 1\ndef f():\n    global x\n    x = 2\n    y = 1\n    def g():\n        nonlocal y\n        y = 3\n"
    "    g()\n    return y\nprint(f(), x)",
    plain=True,
)
case("a `global` behind a use is refused", "x = 1\nglobal x", plain=True)
case(
    "match: values, sequences, mappings, classes, guards, captures",
    "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\n    y: int\ndef f(v):\n    match v:\n"
    "        case 0 | 1: return 'small'\n        case [a, *rest] if rest: return a, rest\n"
    "        case {'k': k, **more}: return k, more\n        case P(x=0, y=y): return 'P', y\n"
    "        case str() as s: return s\n        case _: return None\n"
    "for v in (1, [1, 2, 3], {'k': 1, 'z': 2}, P(0, 4), 'text', 5.5): print(f(v))",
    plain=True,
)
case(
    "lambdas, conditional expressions, slices, f-strings",
    "f = lambda *a, k=1, **o: (a, k, o)\nx = 3.14159\n"
    "print(f(1, z=2), 'a' if x else 'b', [1, 2, 3][::-1], f'{x:.2f} {x!r:>10} {x = }')",
    plain=True,
)
case("f-strings with nested quotes", 'd = {"a": 1}\nprint(f"{d["a"]} {f"{d["a"]}"}")', plain=True, since=(3, 12))
case(
    "comprehensions, and their own scope",
    "x = 'kept'\nprint([x for x in range(3)], {x: 1 for x in 'ab'}, {1, 1}, sum(x for x in (1, 2)), x)",
    plain=True,
)
case(
    "a comprehension sees the namespace",
    "n = 3\nclass A: pass\nprint([[n for _ in range(n)] for _ in range(n)])",
    plain=True,
)
case(
    "generators: yield, send, throw, close, yield from",
    "def g():\n    try:\n        x = yield 1\n        yield x\n        yield from 'ab'\n"
    "    finally: print('closed')\ni = g()\nprint(next(i), i.send(5), next(i))\ni.close()",
    plain=True,
)
case(
    "a generator lives on between executions",
    "def g():\n    yield 1\n    yield 2\ni = g()\nprint(next(i))",
    "print(next(i))",
    "next(i)",
    plain=True,
)
case(
    "positional-only and keyword-only parameters, and their errors",
    "def f(a, /, b, *, c): return a, b, c\nprint(f(1, b=2, c=3))\nf(a=1, b=2, c=3)",
    plain=True,
)
case(
    "decorators of functions and classes",
    "def twice(f): return lambda *a: f(*a) * 2\n@twice\n@twice\ndef f(x): return x\n@lambda c: c()\nclass A:\n"
    "    x = 5\nprint(f(1), A.x)",
    plain=True,
)
case(
    "classes: inheritance, super, properties, slots, class and static methods",
    "class A:\n    __slots__ = ('a',)\n    def __init__(self, a): self.a = a\n    @property\n"
    "    def double(self): return self.a * 2\n    @classmethod\n    def make(cls): return cls(4)\n"
    "    @staticmethod\n    def s(): return 's'\nclass B(A):\n    def __init__(self, a): super().__init__(a + 1)\n"
    "print(B.make().double, B.s(), B.__mro__)\nB(1).z = 1; A(1).z = 1",
    plain=True,
)
case(
    "metaclasses, __init_subclass__, __set_name__, descriptors",
    "class M(type):\n    def __new__(m, n, b, d, **k): print('M', n, k); return super().__new__(m, n, b, d)\n"
    "    def __init__(c, n, b, d, **k): super().__init__(n, b, d)\nclass D:\n"
    "    def __set_name__(self, o, n): print('set', n)\n    def __get__(self, i, o): return 7\n"
    "class A(metaclass=M):\n    d = D()\n    def __init_subclass__(cls, **k): print('sub', k)\n"
    "class B(A, z=1): pass\nprint(B().d)",
    plain=True,
)
case(
    "abstract classes, protocols and enums",
    "import abc, enum, typing\nclass A(abc.ABC):\n    @abc.abstractmethod\n    def f(self): ...\n"
    "@typing.runtime_checkable\nclass P(typing.Protocol):\n    def f(self): ...\nclass E(enum.Flag):\n"
    "    A = enum.auto(); B = enum.auto()\nprint(isinstance(A, P), E.A | E.B)\nA()",
    plain=True,
)
case(
    "dataclasses, with defaults, order and frozen",
    "from dataclasses import dataclass, field, replace, asdict\n@dataclass(order=True, frozen=True)\nclass P:\n"
    "    x: int\n    tags: list[str] = field(default_factory=list, compare=False)\np = P(1)\n"
    "print(p, replace(p, x=2) > p, asdict(p))\np.x = 5",
    plain=True,
)
case(
    "named tuples and typed dictionaries",
    "from typing import NamedTuple, TypedDict\nclass N(NamedTuple):\n    a: int\n    b: str = 'x'\n"
    "class T(TypedDict, total=False):\n    k: int\nprint(N(1), T(k=2), N.__annotations__)",
    plain=True,
)
case(
    "`type` aliases and type parameters",
    "type L[T] = list[T]\ndef first[T](a: L[T]) -> T: return a[0]\nclass Box[T]:\n    pass\n"
    "print(L, L.__value__, first([4]), Box[int], first.__type_params__)",
    plain=True,
    since=(3, 12),
)
case(
    "`get_type_hints` resolves the session's names",
    "import typing\nclass A: pass\ndef f(a: 'A') -> 'list[A]': ...\nprint(typing.get_type_hints(f))",
    plain=True,
)
case(
    "`from __future__ import annotations` in its own execution",
    "from __future__ import annotations\ndef f(a: Nowhere): ...\nprint(f.__annotations__)",
    plain=True,
)
case(
    "`from __future__` holds for later executions",
    "from __future__ import annotations",
    "def f(a: Nowhere): ...\nprint(f.__annotations__)",
    plain=True,
)
case("`from __future__` behind a statement is refused", "x = 1\nfrom __future__ import annotations", plain=True)
case(
    "import, import as, from, star, and inside functions",
    "import os.path as p, math\nfrom math import *\nfrom math import pi as q\ndef f():\n    import json\n"
    "    return json.dumps([q])\nprint(p.join('a', 'b'), floor(2.5), f())",
    plain=True,
)
case(
    "identifiers and text of any script",
    "größe, 変数 = 'ü', '🐍'\nprint(größe, 変数, 'naïve'.upper(), '\\N{SNOWMAN}')",
    plain=True,
)
case("line ends of Windows, and tabs", "if 1:\r\n\tx = 1\r\n\tprint(x)\r\n1 / 0\r\n", plain=True)
case("a form feed ends no line", "x = 1\n\x0c\ndef f():\n    return 1 / 0  # \x0c here\nf()", plain=True)
case(
    "backslashes, semicolons and several lines in brackets",
    "x = 1 + \\\n    2; y = (3 +\n# note\n4)\nprint(x, y)",
    plain=True,
)
case(
    "big integers, complex numbers, bytes and escapes",
    "print(2 ** 200, 1j ** 2, b'\\x00\\xff', 0b1_01, 0x_ff, 1e308 * 10, '\\u00e9\\x41\\n')",
    plain=True,
)
