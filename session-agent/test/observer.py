"""Everything that a program of the model can change, as JSON; `seen` is the namespace. Objects are numbered as they are met, which shows aliases."""


def _observe(names):
    import decimal, hashlib, json, math, os, random, sys

    numbers = {}

    def show(one):
        if one is None or isinstance(one, (bool, int, float, str)):
            return one
        if id(one) in numbers:
            return f"#{numbers[id(one)]}"
        numbers[id(one)] = number = len(numbers)
        kind = type(one).__name__
        if isinstance(one, (list, tuple)):
            inner = [show(each) for each in one]
        elif isinstance(one, (set, frozenset)):
            inner = sorted(map(repr, one))
        elif isinstance(one, dict):
            inner = [[show(key), show(value)] for key, value in list(one.items())]
        elif isinstance(one, type):
            inner = {key: show(value) for key, value in sorted(vars(one).items()) if not key.startswith("__")}
        elif kind == "function":
            cells = [show(cell.cell_contents) for cell in one.__closure__ or ()]
            inner = [one.__code__.co_consts[-1:] == () or show(one.__code__.co_consts[-1]), cells, show(one.__defaults__)]
        elif kind == "generator":
            inner = None if one.gi_frame is None else {key: show(value) for key, value in one.gi_frame.f_locals.items()}
        elif kind == "module":
            inner = None
        elif kind == "ndarray":
            inner = [str(one.dtype), one.tolist()]
        elif kind == "DataFrame":
            inner = one.to_csv()
        elif hasattr(one, "__dict__"):
            inner = show(vars(one))
        else:
            # An iterator: what it goes over, and how far it is.
            inner = [show(each) for each in one.__reduce__()[1:]]
        return {f"#{number} {kind}": inner}

    state = {name: show(value) for name, value in sorted(names.items()) if not name.startswith("_") and name != "seen"}
    # Where a session stands at first is its own affair.
    here, start = os.getcwd(), names.get("start")
    state.pop("start", None)
    state["cwd"] = "start" if start in (here, None) else here
    state["environ"] = {key: value for key, value in os.environ.items() if key.startswith("MODEL")}
    state["math"] = {key: show(value) for key, value in sorted(vars(math).items()) if key.startswith("marked")}
    state["random"] = hashlib.md5(repr(random.getstate()).encode()).hexdigest() if "start" in names else None
    state["precision"] = decimal.getcontext().prec
    state["recursion"] = sys.getrecursionlimit() if "start" in names else None
    return json.dumps({"pid": os.getpid(), "state": state})
