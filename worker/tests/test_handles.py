"""What a rollback would not undo, told."""

from pathlib import Path

from agent import Worker, wait_until
from replpool_worker import kernel


def told(worker: Worker) -> list[str]:
    """The items."""
    items: list[str] = worker.ask("handles")["value"]["items"]
    return items


def test_a_fresh_session_has_none(worker: Worker) -> None:
    assert told(worker) == []
    worker.run("import asyncio, random, uuid, os; os.urandom(1); await asyncio.sleep(0)")
    twin = worker.twin()
    assert told(worker) == []
    twin.close()


def test_files_pipes_sockets_and_children_are_told(worker: Worker, tmp_path: Path) -> None:
    worker.run(
        "import os, select, socket, subprocess\n"
        f"f = open({str(tmp_path / 'x')!r}, 'w'); r, w = os.pipe(); e = select.epoll()\n"
        "s = socket.create_server(('127.0.0.1', 0)); c = socket.create_connection(s.getsockname())\n"
        "six = socket.create_server(('::1', 0), family=socket.AF_INET6) if socket.has_ipv6 else s\n"
        f"u = socket.socket(socket.AF_UNIX); u.bind({str(tmp_path / 'u')!r}); u.listen()\n"
        "p = subprocess.Popen(['sleep', '1000'])"
    )
    port = worker.run("s.getsockname()[1]").text
    pid = worker.run("p.pid").text
    number = {name: worker.run(f"{name} if type({name}) is int else {name}.fileno()").text for name in "frwescu"}
    items = told(worker)
    wait_until(lambda: any("(sleep)" in item for item in told(worker)), "the child has no name")
    assert f"open file {tmp_path}/x (fd {number['f']})" in items
    assert {f"pipe (fd {number['r']})", f"pipe (fd {number['w']})", f"[eventpoll] (fd {number['e']})"} <= set(items)
    assert f"socket tcp 127.0.0.1:{port} (fd {number['s']})" in items
    assert f"socket tcp 127.0.0.1:{port} (fd {number['c']})" in items
    assert f"socket unix {tmp_path}/u (fd {number['u']})" in items
    assert f"child process {pid} (sleep)" in told(worker)
    worker.run("f.close(); p.kill(); p.wait()")
    assert not [item for item in told(worker) if "open file" in item or "child" in item]


def test_they_are_told_while_code_runs(worker: Worker) -> None:
    execution = worker.start("f = open('/etc/hostname'); input()")
    request = worker.expect("input_request")["request"]
    assert any("/etc/hostname" in item for item in told(worker))
    worker.send("input_reply", request=request, value="")
    worker.finish(execution)


def test_there_are_no_more_than_two_hundred_and_none_is_long(worker: Worker, tmp_path: Path) -> None:
    long = tmp_path / ("x" * 200) / ("y" * 200)
    long.parent.mkdir()
    long.touch()
    worker.run(f"files = [open({str(long)!r}) for i in range(150)]")
    worker.run(
        "import os, signal\nfor i in range(120):\n    if os.fork() == 0:\n        signal.pause()\n        os._exit(0)"
    )
    items = told(worker)
    assert sum("open file" in item for item in items) == 100
    assert sum("child process" in item for item in items) == 100
    assert len(items) == 200
    assert max(map(len, items)) == 300
    assert kernel.is_alive(worker.pid)
