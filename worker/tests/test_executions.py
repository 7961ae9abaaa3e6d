"""Executions: namespace, results, errors, awaiting, order of output."""

import os
import sys

import pytest

from agent import Run, Worker


def test_names_classes_and_functions_persist(worker: Worker) -> None:
    worker.run("import pickle\nclass A:\n    def __init__(self): self.x = 4\ndef double(n): return n * 2")
    assert worker.run("double(A().x)").text == "8"
    assert worker.run("b = pickle.loads(pickle.dumps(A())); (b.x, type(b) is A, A.__module__)").text == (
        "(4, True, '__main__')"
    )
    assert worker.run("__name__").text == "'__main__'"


def test_the_last_expression_is_the_result_and_underscore(worker: Worker) -> None:
    assert worker.run("x = 1\nx + 1").text == "2"
    assert worker.run("_ * 10").text == "20"
    assert [frame["type"] for frame in worker.run("None").frames] == ["started", "finished"]
    assert [frame["type"] for frame in worker.run("y = 3").frames] == ["started", "finished"]
    assert [frame["type"] for frame in worker.run("").frames] == ["started", "finished"]


def test_variables_tell_what_an_execution_changed(worker: Worker) -> None:
    worker.run("a = 1; b = [1]; c = 'x'; d = 5")
    changed = worker.run("a = 1000001; b.append(2); del c; e = 1; d = d").one("finished")["variables"]
    assert changed == {"added": ["e"], "changed": ["a", "b"], "deleted": ["c"]}


def test_a_deleted_object_is_freed_within_its_execution(worker: Worker) -> None:
    worker.run("class A:\n    def __del__(self): print('freed')\na = A()")
    assert worker.run("del a\nprint('after')").out == b"freed\nafter\n"


def test_all_output_comes_before_finished(worker: Worker) -> None:
    run = worker.run(
        "import os, subprocess, sys, ctypes\nprint('python')\nos.write(1, b'fd\\n')\n"
        "libc = ctypes.CDLL(None)\nlibc.puts(b'libc'); libc.fflush(None)\n"
        "subprocess.run(['sh', '-c', 'echo child; echo problem >&2'])\nprint('end', end='')\nsys.stderr.write('e')"
    )
    assert run.out == b"python\nfd\nlibc\nchild\nend"
    assert run.err == b"problem\ne"


def test_text_that_utf8_cannot_hold_is_escaped(worker: Worker) -> None:
    assert worker.run("print('\\ud800')").out == b"\\ud800\n"
    assert worker.run("'\\ud800'").text == "'\\ud800'"
    assert worker.run("raise ValueError('\\ud800')").error["message"] == "\\ud800"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="older tracebacks have no carets")
def test_carets_stand_under_what_failed(worker: Worker) -> None:
    lines = worker.run("first + 1").traceback.splitlines()
    source = next(n for n, line in enumerate(lines) if line.endswith("first + 1"))
    assert lines[source + 1].index("^") == lines[source].index("first")


def test_a_traceback_shows_the_users_lines_and_none_of_ours(worker: Worker) -> None:
    worker.run("def inner():\n    return 1 / 0  # the line")
    run = worker.run("try:\n    inner()\nexcept ZeroDivisionError as e:\n    raise ValueError('bad') from e")
    assert run.status == "error"
    assert run.error["name"] == "ValueError"
    assert run.error["message"] == "bad"
    assert "return 1 / 0  # the line" in run.traceback
    assert "direct cause" in run.traceback
    assert '<cell 2>", line 4' in run.traceback
    assert "replpool_worker" not in run.traceback
    assert all(isinstance(line, str) for line in run.error["traceback"])


def test_what_does_not_compile_is_an_error_and_the_session_goes_on(worker: Worker) -> None:
    cases = {
        "x = = 1": "SyntaxError",
        "def f():\nreturn 1": "IndentationError",
        "a = 1\nb\0c": "SyntaxError",
        "return 5": "SyntaxError",
        "(" * 5000 + ")" * 5000: None,
        "-" * 100_000 + "1": None,
        "x" + ".a" * 100_000: None,
    }
    for code, name in cases.items():
        run = worker.run(code)
        assert run.status == "error"
        assert name is None or run.error["name"] == name, run.error
        assert name is None or "<cell" in run.traceback
    assert worker.run("1 + 1").text == "2"


def test_a_lone_surrogate_in_the_code_is_a_syntax_error(worker: Worker) -> None:
    # What a JavaScript string may hold; msgpack carries its three bytes.
    execution = "surrogate"
    worker.sent += 1
    import msgpack

    from replpool_worker.frames import HEADER

    message = {"type": "execute", "execution": execution, "code": "x = '\ud800'", "silent": False, "executionCount": 1}
    body = msgpack.packb(message | {"n": worker.sent, "ack": 0}, unicode_errors="surrogatepass")
    os.write(worker.fds[1], HEADER.pack(len(body)) + body)
    run = worker.finish(execution)
    assert run.error["name"] == "SyntaxError"
    assert "surrogate U+D800" in run.error["message"]


def test_exit_ends_the_execution_and_not_the_session(worker: Worker) -> None:
    worker.run("kept = 5")
    for code in ("import sys; sys.exit(3)", "exit()", "raise SystemExit"):
        run = worker.run(code)
        assert run.status == "error"
        assert run.error["name"] == "SystemExit"
    assert worker.run("kept").text == "5"


def test_await_works_at_the_top_level(worker: Worker) -> None:
    assert (
        worker.run("import asyncio\nasync def f():\n    await asyncio.sleep(0)\n    return 6\nawait f() + 1").text
        == "7"
    )
    assert worker.run("x = [await f() for _ in range(2)]\nasync with asyncio.Lock(): pass\nx").text == "[6, 6]"
    run = worker.run("await asyncio.wait_for(asyncio.sleep(9), 0.01)")
    assert run.error["name"] == "TimeoutError"


def test_background_tasks_go_on_between_executions(worker: Worker) -> None:
    run = worker.run(
        "import asyncio\nticks = []\nasync def tick():\n    while True:\n        ticks.append(1)\n"
        "        await asyncio.sleep(0.001)\ntask = asyncio.create_task(tick())"
    )
    assert run.status == "ok"
    worker.run("import time; time.sleep(0.05)")
    worker.run("await asyncio.sleep(0.05)")
    before = int(worker.run("len(ticks)").text)
    assert before > 5
    import time

    time.sleep(0.05)
    assert int(worker.run("len(ticks)").text) > before


def test_asyncio_run_works_beside_the_running_loop(worker: Worker) -> None:
    code = "import asyncio\nasync def f():\n    await asyncio.sleep(0)\n    return asyncio.current_task() is not None\n"
    assert worker.run(code + "asyncio.run(f())").text == "True"
    assert worker.run("await asyncio.sleep(0)\nasyncio.run(f()), await f()").text == "(True, True)"
    assert worker.run("asyncio.get_running_loop() is asyncio.get_event_loop()").text == "True"
    assert worker.run("loop = asyncio.new_event_loop(); loop.run_until_complete(f())").text == "True"
    assert worker.run("asyncio.create_task(f()).done()").text == "False"


def test_context_variables_hold_from_one_execution_to_the_next(worker: Worker) -> None:
    worker.run("import contextvars, decimal\nv = contextvars.ContextVar('v')\nv.set(3)\ndecimal.getcontext().prec = 5")
    assert worker.run("v.get(), decimal.Decimal(1) / 3").text == "(3, Decimal('0.33333'))"


def test_future_imports_hold_for_later_executions(worker: Worker) -> None:
    worker.run("from __future__ import annotations")
    assert worker.run("def f(a: Nowhere): pass\nf.__annotations__").text == "{'a': 'Nowhere'}"


def test_executions_run_in_their_order(worker: Worker) -> None:
    ids = [
        worker.start(
            f"import asyncio\norder = globals().get('order', []) + [{n}]\n{'await asyncio.sleep(0.001)' * (n % 2)}"
        )
        for n in range(20)
    ]
    for one in ids:
        assert worker.finish(one).status == "ok"
    assert worker.run("order").text == str(list(range(20)))


def test_a_background_task_that_exits_does_not_end_the_session(worker: Worker) -> None:
    code = "import asyncio, sys\nasync def f(): sys.exit(1)\ntask = asyncio.create_task(f())\nawait asyncio.sleep(0.01)"
    worker.run(code)
    worker.run("asyncio.get_running_loop().stop()")
    assert worker.run("1 + 1").text == "2"


def test_a_forked_child_of_user_code_is_not_the_worker(worker: Worker) -> None:
    run = worker.run(
        "import os, sys\npid = os.fork()\nif pid == 0:\n    print('child')\n    sys.exit(7)\nos.waitpid(pid, 0)[1] >> 8"
    )
    assert run.text == "7"
    assert run.out == b"child\n"
    run = worker.run(
        "import multiprocessing as m\nwith m.get_context('fork').Pool(2) as pool: r = pool.map(abs, [-1, -2])\nr"
    )
    assert run.text == "[1, 2]"


def test_usage_and_count_are_told(worker: Worker) -> None:
    finished = worker.run("sum(range(2_000_000))").one("finished")
    assert finished["executionCount"] == 1
    assert finished["usage"]["cpuMs"] > 1
    assert finished["usage"]["maxRssBytes"] > 1_000_000


def test_a_huge_result_is_cut_with_a_warning(worker: Worker) -> None:
    run = worker.run("'x' * (80 << 20)")
    assert run.status == "ok"
    assert run.one("warning")["code"] == "OUTPUT_TRUNCATED"
    assert len(run.text) < 2 << 20


def test_frames_of_threads_never_name_an_execution_that_does_not_run(worker: Worker) -> None:
    worker.run(
        "import threading\nstop = threading.Event()\ndef show():\n    while not stop.is_set(): display(1)\n"
        "thread = threading.Thread(target=show); thread.start()"
    )
    running = None
    ids = {worker.start("1") for _ in range(400)}
    while ids:
        frame = worker.receive()
        worker.drain(Run(), frame.get("pipes") or [])
        if frame["type"] == "started":
            assert running is None
            running = frame["execution"]
        assert frame.get("execution") in (None, running), frame
        if frame["type"] == "finished":
            ids.discard(running or "")
            running = None
    worker.start("stop.set(); thread.join()")
    while worker.receive()["type"] != "finished":
        pass


@pytest.mark.parametrize(
    "code",
    [
        "import asyncio, os\n_ = asyncio.get_running_loop().call_soon(lambda: pids.append(os.fork()))",
        "class R:\n    def _repr_html_(self): pids.append(os.fork()); return ''\nR()",
        "class E(Exception):\n    def __str__(self): pids.append(os.fork()); return ''\nraise E",
        "class D:\n    def __del__(self): pids.append(os.fork())\nD().missing",
    ],
    ids=["a callback", "a representation", "an error", "a finalizer"],
)
def test_a_child_that_comes_back_from_user_code_ends_and_leaves_the_worker_alone(worker: Worker, code: str) -> None:
    worker.run("import os, sys\npids = []")
    worker.run(code)
    worker.run("sys.last_value = sys.last_traceback = sys.last_exc = None")
    ended = (
        "import time\nend = time.monotonic() + 10\nwhile not pids or not (a := os.waitpid(pids[0], os.WNOHANG))[0]:\n"
    )
    run = worker.run(f"{ended}    assert time.monotonic() < end\n    time.sleep(0.01)\na[1]")
    assert run.text in ("0", "256")
    assert [worker.run(str(number)).text for number in range(5)] == list("01234")


def test_a_childs_waiting_execution_goes_on_in_it_and_takes_no_wakeups_of_the_worker(worker: Worker) -> None:
    run = worker.run(
        "import asyncio, os\nloop = asyncio.get_running_loop(); waited = loop.create_future()\n"
        "_ = loop.call_later(0.3, waited.set_result, 1)\nparents = os.fstat(loop._ssock.fileno()).st_ino\n"
        "pid = os.fork()\n"
        "if pid == 0: await waited; os._exit(7 if os.fstat(loop._ssock.fileno()).st_ino != parents else 8)"
    )
    assert run.status == "ok"
    assert [worker.run(str(number)).text for number in range(5)] == list("01234")
    assert worker.run("os.waitpid(pid, 0)[1] >> 8").text == "7"


def test_code_may_join_all_threads_but_its_own(worker: Worker) -> None:
    worker.run("import threading")
    for kind, fields in (("variables", {}), ("complete", {"code": "thr", "cursor": 3})):
        worker.ask(kind, **fields)
    worker.run("import asyncio; await asyncio.sleep(0)")
    assert (
        worker.run("for t in threading.enumerate():\n    if t is not threading.main_thread(): t.join()").status == "ok"
    )
    assert worker.run("threading.active_count()").text == "1"


def test_a_small_change_is_told_beside_many_large_arrays(worker: Worker) -> None:
    # What numpy's are known by is not here: a frame of pandas's name with as much to look at.
    worker.run("class Series:\n    __module__ = 'pandas'\nfor i in range(200): globals()[f'a{i}'] = Series()\ncfg = {}")
    assert worker.run("cfg['k'] = 1").one("finished")["variables"]["changed"] == ["cfg"]


def test_the_last_error_is_kept_for_the_debugger(worker: Worker) -> None:
    worker.run("import sys, traceback, pdb\ndef f(): return 1 / 0")
    worker.run("x = f()")
    run = worker.run("traceback.print_last()")
    assert run.err.decode().splitlines()[:2] == [
        "Traceback (most recent call last):",
        '  File "<cell 2>", line 1, in <module>',
    ]
    assert b"x = f()" in run.err
    assert b"replpool_worker" not in run.err
    assert worker.run("sys.last_type is ZeroDivisionError is type(sys.last_value)").text == "True"
    assert worker.run("sys.last_value.__traceback__ is sys.last_traceback").text == "True"
    worker.run("raise SystemExit")
    assert worker.run("sys.last_type.__name__").text == "'ZeroDivisionError'"


def test_the_streams_have_the_names_and_modes_of_the_interpreters_own(worker: Worker) -> None:
    run = worker.run("import sys\n[(s.name, s.mode) for s in (sys.stdout, sys.stderr)]")
    assert run.text == "[('<stdout>', 'w'), ('<stderr>', 'w')]"


def test_an_interrupt_in_a_finalizer_is_told_without_frames_of_ours(worker: Worker) -> None:
    run = worker.run(
        "import signal\nclass D:\n    def __del__(self): signal.raise_signal(signal.SIGINT)\nd = D()\ndel d"
    )
    assert b"Exception ignored" in run.err
    assert b"in __del__" in run.err
    assert b"replpool_worker" not in run.err
