"""Loops that code runs itself: asyncio.run, loops of its own, and the session's within itself."""

from agent import Worker
from conformance.case import Chapter
from conformance.waiting import finished, read_until

chapter = Chapter("Loops of one's own")
case, behaviour = chapter.case, chapter.behaviour

ADD = "import asyncio\nasync def add(a, b):\n    await asyncio.sleep(0)\n    return a + b\n"

case("asyncio.run in an execution", ADD + "asyncio.run(add(1, 2))", result="3")
case("asyncio.run behind an await", ADD + "await add(0, 0)\nasyncio.run(add(1, 2)), await add(3, 4)", result="(3, 7)")
case(
    "asyncio.run as its documentation has it",
    "import asyncio\nasync def main():\n    print('hello')\n    await asyncio.sleep(0.01)\n    print('world')\n"
    "if __name__ == '__main__':\n    asyncio.run(main())",
    plain=True,
)
case(
    "an error out of asyncio.run",
    "import asyncio\nasync def main():\n    raise ValueError('no')\nasyncio.run(main())",
    plain=True,
)
case(
    "asyncio.Runner, several runs on one loop",
    "import asyncio\nasync def f(): return id(asyncio.get_running_loop())\n"
    "with asyncio.Runner() as r: print(r.run(f()) == r.run(f()))",
    plain=True,
    since=(3, 11),
)
case(
    "new_event_loop and run_until_complete",
    "import asyncio\nloop = asyncio.new_event_loop()\nprint(loop.run_until_complete(asyncio.sleep(0, 'x')))\n"
    "loop.close()",
    plain=True,
)
case(
    "run_until_complete on the session's own loop",
    ADD + "asyncio.get_event_loop().run_until_complete(add(1, 2))",
    result="3",
)
case(
    "old code that runs the thread's loop and closes it",
    "import asyncio\nasync def main():\n    t = asyncio.create_task(asyncio.sleep(0.01, 'task'))\n    print(await t)\n"
    "loop = asyncio.new_event_loop()\nasyncio.set_event_loop(loop)\ntry: loop.run_until_complete(main())\n"
    "finally: loop.close()",
    plain=True,
)
case(
    "the session's loop may be run, stopped and closed, and goes on",
    ADD + "loop = asyncio.get_event_loop()\nloop.call_later(0.01, loop.stop)\nloop.run_forever()\n"
    "x = loop.run_until_complete(asyncio.gather(add(1, 1), add(2, 2)))\nloop.close()",
    "x, await add(3, 3), loop.is_running()",
    result="([2, 4], 6, True)",
)
case(
    "an error out of run_until_complete on the session's own loop",
    "import asyncio\nasync def f(): return 1 / 0",
    "asyncio.get_event_loop().run_until_complete(f())",
    error="ZeroDivisionError",
    traceback=('File "<cell 2>", line 1, in <module>', 'File "<cell 1>", line 2, in f'),
)
case(
    "callbacks that wait are not lost while the session's loop runs within itself",
    ADD + "loop = asyncio.get_event_loop()\nseen = []\nfor n in range(9): loop.call_soon(seen.append, n)\n"
    "tasks = [asyncio.create_task(add(n, 0)) for n in range(9)]\nloop.run_until_complete(add(0, 0))\n"
    "loop.run_until_complete(tasks[-1])",
    "seen == list(range(9)), [await t for t in tasks] == seen",
    result="(True, True)",
)
case(
    "asyncio.run in a thread",
    ADD + "import threading\nr = []\nt = threading.Thread(target=lambda: r.append(asyncio.run(add(1, 2))))\n"
    "t.start(); t.join()\nr",
    result="[3]",
)
case(
    "asyncio.run inside a task of the session's loop",
    ADD + "async def outer(): return asyncio.run(add(1, 2))\nawait outer()",
    result="3",
)
case(
    "run_coroutine_threadsafe from a thread",
    ADD + "import threading\nloop = asyncio.get_running_loop()\n"
    "await asyncio.to_thread(lambda: asyncio.run_coroutine_threadsafe(add(1, 2), loop).result(15))",
    result="3",
)
case(
    "asyncio.run twice in one execution is run twice",
    ADD + "[asyncio.run(add(n, 1)) for n in range(3)]",
    result="[1, 2, 3]",
)
case(
    "unittest's IsolatedAsyncioTestCase",
    "import unittest, io\nclass T(unittest.IsolatedAsyncioTestCase):\n    async def asyncSetUp(self): self.x = 1\n"
    "    async def test_a(self): self.assertEqual(self.x, 1)\n"
    "r = unittest.TextTestRunner(stream=io.StringIO()).run(unittest.defaultTestLoader.loadTestsFromTestCase(T))\n"
    "r.testsRun, r.errors, r.failures",
    result="(1, [], [])",
)


@behaviour("an interrupt ends asyncio.run, and its tasks are cancelled")
def _(worker: Worker) -> None:
    worker.run(
        "import asyncio\nlog = []\nasync def f():\n    try:\n        print('in', flush=True)\n"
        "        await asyncio.sleep(600)\n    finally: log.append(1)"
    )
    execution = worker.start("asyncio.run(f())")
    worker.expect("started")
    read_until(worker, b"in\n")
    worker.send("interrupt", execution=execution)
    assert finished(worker.finish(execution)) == "interrupted KeyboardInterrupt"
    assert finished(worker.run("await asyncio.sleep(0)\nlog")) == "ok [1]"


@behaviour("an interrupt ends the session's loop run within itself, and what it waited for is cancelled")
def _(worker: Worker) -> None:
    worker.run(
        "import asyncio\nlog = []\nasync def f():\n    try:\n        print('in', flush=True)\n"
        "        await asyncio.sleep(600)\n    finally: log.append(1)"
    )
    execution = worker.start("asyncio.get_event_loop().run_until_complete(f())")
    worker.expect("started")
    read_until(worker, b"in\n")
    worker.send("interrupt", execution=execution)
    assert finished(worker.finish(execution)) == "interrupted KeyboardInterrupt"
    assert finished(worker.run("await asyncio.sleep(0)\nlog")) == "ok [1]"
