import fc from 'fast-check';

/**
 * A line of Python that changes state.
 * `variable`: only what variables reach; `hidden`: only what they do not, which a copy of the variables does not hold (a class, a closure, a
 * generator, a module, the process); `mixed`: the one gets into the other.
 */
export interface Statement {
  readonly code: string;
  readonly kind: 'variable' | 'hidden' | 'mixed';
}

/** What every namespace begins with. Hidden statements name only what no variable statement binds. */
export const setup = `import math, os, random, decimal, sys
start = os.getcwd()
random.seed(1)
class A:
    n = 0
    tags = []
class B(A): pass
a = A(); b = B()
l = [1, 2]; m = [l, l, [0]]; d = {"l": l, 1: 2}; s = {1}; t = (l, d)
a.x = l; b.back = a
def f(): return 0
def counter():
    n = 0
    held = []
    def bump(k=1):
        nonlocal n
        n += k
        held.append(k)
        return n
    return bump
bump = counter()
def naturals():
    for i in range(10 ** 9): yield i
g = naturals()`;

/** Of the environment's packages, where they are there. */
export const arraysSetup = `import numpy, pandas
arr = numpy.arange(6); view = arr[2:5]; df = pandas.DataFrame({"x": [1, 2, 3]}); held = [arr, df]`;

const templates: Record<Statement['kind'], readonly string[]> = {
  variable: [
    'l.append(K)',
    'l.pop()',
    'l[0] = K',
    'l[1:2] = [K, K]',
    'l.reverse()',
    'del l[-1]',
    'm.append(l)',
    'm[2].append(K)',
    'm[0] = [K]',
    'm.append(m)',
    'd[K] = l',
    'd.update({K: [K], "m": m})',
    'd.pop(K)',
    'd.setdefault("n", {})[K] = a',
    's.add(K)',
    's.remove(K)',
    'a.x = [K]',
    'a.x.append(K)',
    'a.y = d',
    'del a.y',
    'b.back = b',
    'b.n = K',
    'l = [K]',
    'l = list(l)',
    'm = [l, K]',
    't = (l, a, K)',
    'vK = l',
    'vK = {"k": K}',
    'del vK',
    'del d',
    'del a',
    'd = {}',
    'a = A()',
    'x = K',
    'x += K',
    'f = None',
    'def f(): return K',
    'lost = K // 0',
  ],
  hidden: [
    'A.n = K',
    'A.n += K',
    'A.tags.append(K)',
    'A.tags = [K]',
    'B.tags = [K]',
    'A.mK = K',
    'del A.mK',
    'bump(K)',
    'next(g)',
    'g.close()',
    'math.marked = K',
    'math.marked.append(K)',
    'math.marked = [K]',
    'random.random()',
    'random.seed(K)',
    'decimal.getcontext().prec = K + 1',
    'os.environ["MODEL_K"] = "K"',
    'os.environ.pop("MODEL_K")',
    'os.chdir("/usr")',
    'os.chdir("/")',
    'os.chdir(start)',
    'sys.setrecursionlimit(2000 + K)',
  ],
  mixed: [
    'A.shared = l',
    'A.tags = l',
    'l.append(A)',
    'l.append(f)',
    'math.marked = d',
    'd["g"] = g',
    'd["bump"] = bump',
    'bump(l)',
    'bump = counter()',
    'g = naturals()',
    'g = (v for v in l)',
    'l.append(next(g))',
    'l.append(random.random())',
    'l.append(bump())',
    'f.__defaults__ = (l,)',
    'def f(v=l): return K',
    'class A:\n    n = K',
    'a.__class__ = B',
    'del g',
    'del bump',
    'globals().update(x=l)',
    'exec("l = [K]")',
    'random.shuffle(l)',
  ],
};
const arrays: readonly string[] = [
  'arr[K] = K',
  'arr += K',
  'view[:] = K',
  'held.append(arr)',
  'arr = arr.copy()',
  'df.loc[K, "x"] = K',
  'df["y"] = K',
  'df.drop(columns="y", inplace=True)',
  'held[1].iloc[0, 0] = K',
];

/** @param withArrays whether `arraysSetup` was run */
export function statements(kinds: readonly Statement['kind'][], withArrays: boolean): fc.Arbitrary<Statement> {
  const all = kinds.flatMap((kind) => templates[kind].map((code) => ({ code, kind })));
  const more = withArrays ? arrays.map((code) => ({ code, kind: 'variable' as const })) : [];
  return fc
    .tuple(fc.constantFrom(...all, ...more), fc.nat(4))
    .map(([{ code, kind }, k]) => ({ code: code.replaceAll('K', String(k)), kind }));
}
