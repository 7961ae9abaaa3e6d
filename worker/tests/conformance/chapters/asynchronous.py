"""await at the top level, one loop for all executions, tasks between them, and how they end."""

from agent import Worker
from conformance.case import Chapter
from conformance.waiting import read_until

chapter = Chapter("Async")
case, behaviour = chapter.case, chapter.behaviour

ADD = "import asyncio\nasync def add(a, b):\n    await asyncio.sleep(0)\n    return a + b\n"
COUNT = "import asyncio\nasync def count(n):\n    for i in range(n):\n        await asyncio.sleep(0)\n        yield i\n"

case("await at the top level, and its value as the result", ADD, "await add(1, 2)", result="3")
case(
    "await in the midst of statements",
    ADD + "x = await add(1, 2)\nif await add(0, 1):\n    y = [await add(x, 1)]\ny",
    result="[4]",
)
case(
    "async for at the top level", COUNT + "async for i in count(3): print(i)\nelse: print('end')", out="0\n1\n2\nend\n"
)
case(
    "async with at the top level",
    "import asyncio\nlock = asyncio.Lock()\nasync with lock as l, asyncio.timeout(9):\n    print(lock.locked())\n"
    "print(lock.locked())",
    out="True\nFalse\n",
    since=(3, 11),
)
case(
    "comprehensions with await and async for",
    ADD + COUNT + "[await add(i, 1) async for i in count(3) if await add(i, 0)], {i async for i in count(2)}, "
    "{i: i async for i in count(1)}",
    result="([2, 3], {0, 1}, {0: 0})",
)
case(
    "an async generator expression",
    COUNT + "g = (i * 2 async for i in count(3))",
    "[i async for i in g]",
    result="[0, 2, 4]",
)
case(
    "await in an f-string, a default and a decorator",
    ADD + "def d(n): return lambda f: f\n@d(await add(1, 1))\n"
    "def f(x=await add(2, 2)): return x\nf'{await add(1, 2)}', f()",
    result="('3', 4)",
)
case(
    "an async generator goes on in a later execution",
    COUNT + "g = count(3)\nprint(await anext(g))",
    "print(await anext(g))",
    out="0\n1\n",
)
case("a coroutine that is not awaited is a value", ADD + "c = add(1, 2)", "await c", result="3")
case(
    "an await inside a plain function is refused",
    "def f():\n    await g()",
    error="SyntaxError",
    message="'await' outside async function (<cell 1>, line 2)",
)
case(
    "code that awaits and defines nothing leaves no names",
    "import asyncio\nawait asyncio.sleep(0)",
    "[n for n in globals() if not n.startswith('__')]",
    result="['asyncio']",
)
case(
    "code without an await sees the running loop",
    "import asyncio\nloop = asyncio.get_running_loop()\nloop.is_running(), asyncio.get_event_loop() is loop",
    result="(True, True)",
)
case(
    "one loop for all executions",
    "import asyncio\nloop = asyncio.get_running_loop()",
    "await asyncio.sleep(0)\nasyncio.get_running_loop() is loop",
    result="True",
)
case(
    "locks, queues, events and futures outlive their execution",
    "import asyncio\nq = asyncio.Queue(); e = asyncio.Event(); f = asyncio.get_running_loop().create_future()",
    "q.put_nowait(1); e.set(); f.set_result(2)",
    "await q.get(), await e.wait(), await f",
    result="(1, True, 2)",
)
case(
    "a task made in one execution is awaited in the next",
    ADD + "t = asyncio.create_task(add(1, 2))",
    "await t",
    result="3",
)
case(
    "gather, wait, wait_for, shield and as_completed",
    ADD + "r = await asyncio.gather(add(1, 1), add(2, 2))\n"
    "d, p = await asyncio.wait([asyncio.create_task(add(3, 3))])\n"
    "r, d.pop().result(), await asyncio.shield(add(4, 4)), [await c for c in asyncio.as_completed([add(5, 5)])]",
    result="([2, 4], 6, 8, [10])",
)
case(
    "a timeout is a TimeoutError",
    "import asyncio\nawait asyncio.wait_for(asyncio.sleep(60), 0.01)",
    error="TimeoutError",
)
case(
    "a TaskGroup gathers its tasks' errors in a group",
    "import asyncio\nasync def bad(): raise ValueError('no')\nasync with asyncio.TaskGroup() as g:\n"
    "    g.create_task(bad())\n    g.create_task(asyncio.sleep(60))",
    error="ExceptionGroup",
    traceback=(
        "async with asyncio.TaskGroup()",
        "ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)",
        "in bad",
        "ValueError: no",
    ),
    since=(3, 11),
)
case(
    "to_thread, and executors",
    "import asyncio, threading\n"
    "await asyncio.to_thread(lambda: threading.current_thread() is threading.main_thread()), "
    "await asyncio.get_running_loop().run_in_executor(None, abs, -3)",
    result="(False, 3)",
)
case(
    "streams, servers and sockets",
    "import asyncio\nasync def echo(r, w):\n    w.write(await r.readline()); await w.drain(); w.close()\n"
    "s = await asyncio.start_server(echo, '127.0.0.1', 0)\n"
    "r, w = await asyncio.open_connection(*s.sockets[0].getsockname())\nw.write(b'hi\\n')\n"
    "x = await r.readline()\nw.close(); s.close()\nx",
    result="b'hi\\n'",
)
case(
    "a server serves between executions",
    "import asyncio, socket, threading\nasync def hello(r, w):\n"
    "    w.write(b'hello'); await w.drain(); w.close()\ns = await asyncio.start_server(hello, '127.0.0.1', 0)\n"
    "at = s.sockets[0].getsockname()\ngot = []\n"
    "t = threading.Thread(target=lambda: got.append(socket.create_connection(at).recv(9)))\nt.start()",
    "import asyncio\nawait asyncio.to_thread(t.join)\ns.close()\ngot",
    result="[b'hello']",
)
case(
    "asyncio's subprocesses",
    "import asyncio\np = await asyncio.create_subprocess_exec('cat', stdin=-1, stdout=-1)\n"
    "(await p.communicate(b'through'))[0], p.returncode",
    result="(b'through', 0)",
)
case(
    "signal handlers of the loop",
    "import asyncio, os, signal\nhit = asyncio.Event()\n"
    "asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, hit.set)\n"
    "os.kill(os.getpid(), signal.SIGUSR1)\nawait asyncio.wait_for(hit.wait(), 15)",
    result="True",
)
case(
    "context variables hold from one execution to the next, tasks get a copy",
    "import asyncio, contextvars\nv = contextvars.ContextVar('v', default=0)\nv.set(1)",
    "async def f(): v.set(v.get() + 1); return v.get()\nawait asyncio.create_task(f()), v.get()",
    result="(2, 1)",
)
case(
    "the loop's debug mode, exception handler and time are the user's",
    "import asyncio\nloop = asyncio.get_running_loop()\nseen = []\n"
    "loop.set_exception_handler(lambda l, c: seen.append(c['message']))\nloop.call_soon(lambda: 1 / 0)\n"
    "await asyncio.sleep(0)\nseen, loop.time() > 0",
    result="(['Exception in callback <lambda>() at <cell 1>:5'], True)",
)

# Errors and cancelling.
case(
    "an error behind an await shows the user's frames",
    "import asyncio\nasync def inner():\n    await asyncio.sleep(0)\n    return 1 / 0\n"
    "async def outer(): return await inner()",
    "await outer()",
    error="ZeroDivisionError",
    traceback=(
        'File "<cell 2>", line 1, in <module>',
        'File "<cell 1>", line 5, in outer',
        'File "<cell 1>", line 4, in inner',
    ),
)
case(
    "a task's error is raised where it is awaited",
    "import asyncio\nasync def f(): raise KeyError('k')\nt = asyncio.create_task(f())",
    "await t",
    error="KeyError",
    traceback=('File "<cell 2>", line 1, in <module>', 'File "<cell 1>", line 2, in f'),
)
case(
    "a task may be cancelled, and knows it",
    "import asyncio\nlog = []\nasync def f():\n    try: await asyncio.sleep(60)\n"
    "    except asyncio.CancelledError:\n        log.append('cancelled')\n        raise\n"
    "t = asyncio.create_task(f())\nawait asyncio.sleep(0)\nt.cancel()",
    "try: await t\nexcept asyncio.CancelledError: log.append('seen')\nlog, t.cancelled()",
    result="(['cancelled', 'seen'], True)",
)
case(
    "code that cancels itself is an error and no interrupt",
    "import asyncio\nasyncio.current_task().cancel()\nawait asyncio.sleep(60)",
    error="CancelledError",
)
case(
    "sys.exit behind an await ends the execution",
    "import asyncio, sys\nawait asyncio.sleep(0)\nsys.exit(2)",
    error="SystemExit",
    message="2",
)


@behaviour("a failed await leaves the session and its loop as they were")
def _(worker: Worker) -> None:
    worker.run(ADD + "loop = asyncio.get_running_loop()")
    for code in (
        "await add(1, 'x')",
        "await 5",
        "asyncio.run(add(1, 'x'))",
        "await asyncio.wait_for(asyncio.sleep(9), 0)",
    ):
        assert worker.run(code).status == "error"
        assert worker.run("asyncio.get_running_loop() is loop, await add(1, 1)").text == "(True, 2)"


@behaviour("tasks go on between executions, and what they print comes then")
def _(worker: Worker) -> None:
    run = worker.run(
        "import asyncio\nasync def f():\n    await asyncio.sleep(0.05)\n    print('late')\nt = asyncio.create_task(f())"
    )
    assert (run.status, run.out) == ("ok", b"")
    assert read_until(worker, b"late\n") == b"late\n"
    assert worker.run("t.done()").text == "True"


@behaviour("timers of the loop go off between executions")
def _(worker: Worker) -> None:
    worker.run("import asyncio\nasyncio.get_running_loop().call_later(0.05, print, 'timer')")
    assert read_until(worker, b"timer\n") == b"timer\n"


@behaviour("a task that fails between executions is told on stderr when nothing holds it")
def _(worker: Worker) -> None:
    run = worker.run(
        "import asyncio\nasync def f():\n    await asyncio.sleep(0.01)\n    raise ValueError('unseen')\n"
        "asyncio.create_task(f()); None"
    )
    assert run.status == "ok"
    told = read_until(worker, b"ValueError: unseen\n", 1).decode()
    assert "Task exception was never retrieved" in told
    assert 'File "<cell 1>", line 4, in f' in told
    assert worker.run("5").text == "5"


@behaviour("a coroutine that is never awaited is warned of, by its line")
def _(worker: Worker) -> None:
    run = worker.run("async def f(): pass\nx = 1\nf()\nNone")
    assert run.err.decode().startswith("<cell 1>:3: RuntimeWarning: coroutine 'f' was never awaited\n  f()\n")


@behaviour("an interrupt cancels what is awaited, and the task sees it")
def _(worker: Worker) -> None:
    execution = worker.start(
        "import asyncio\nlog = []\ntry:\n    print('in', flush=True)\n    await asyncio.sleep(600)\nfinally:\n"
        "    log.append('cleaned')"
    )
    worker.expect("started")
    read_until(worker, b"in\n")
    worker.send("interrupt", execution=execution)
    run = worker.finish(execution)
    assert (run.status, run.error["name"]) == ("interrupted", "KeyboardInterrupt")
    assert worker.run("log").text == "['cleaned']"


@behaviour("an interrupt of one execution leaves background tasks alone")
def _(worker: Worker) -> None:
    worker.run(
        "import asyncio\nasync def f():\n    await e.wait()\n    return 'whole'\ne = asyncio.Event()\n"
        "t = asyncio.create_task(f())"
    )
    execution = worker.start("print('in', flush=True)\nawait asyncio.sleep(600)")
    worker.expect("started")
    read_until(worker, b"in\n")
    worker.send("interrupt", execution=execution)
    assert worker.finish(execution).status == "interrupted"
    assert worker.run("e.set()\nawait t").text == "'whole'"
