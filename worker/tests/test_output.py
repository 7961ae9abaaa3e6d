"""What code writes arrives, whichever way it is written, in order per stream, before its execution has finished."""

import os

import pytest

from agent import Launcher, Worker

WAYS = {
    "print": "print('a')",
    "print without a newline": "print('a', end='')",
    "sys.stdout.buffer": "import sys; sys.stdout.buffer.write(b'a\\n')",
    "os.write": "import os; os.write(1, b'a\\n')",
    "a child process": "import subprocess; subprocess.run(['echo', 'a'])",
    "os.system": "import os; os.system('echo a')",
    "a forked child": "import os\npid = os.fork()\nif pid == 0:\n    print('a'); os._exit(0)\nos.waitpid(pid, 0)",
    "multiprocessing": (
        "import multiprocessing\np = multiprocessing.get_context('fork').Process(target=print, args=('a',))\n"
        "p.start(); p.join()"
    ),
    "a thread": "import threading; t = threading.Thread(target=print, args=('a',)); t.start(); t.join()",
    "/dev/stdout": "open('/dev/stdout', 'w').write('a\\n')",
    "open(1)": "open(1, 'w', closefd=False).write('a\\n')",
    "C puts": "import ctypes; ctypes.CDLL(None).puts(b'a')",
    "C printf without a newline": "import ctypes; ctypes.CDLL(None).printf(b'a')",
    "a wrapper in its place": "import io, sys; sys.stdout = io.TextIOWrapper(sys.stdout.buffer, 'utf-8'); print('a')",
    "__stdout__": "import sys; sys.stdout = None; sys.__stdout__.write('a\\n')",
    "a background task": (
        "import asyncio\nasync def f(): print('a')\nt = asyncio.create_task(f())\nawait asyncio.sleep(0); await t"
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_output_by(worker: Worker, way: str) -> None:
    run = worker.run(WAYS[way])
    assert run.status == "ok", run.traceback
    assert (run.out.rstrip(b"\n"), run.err) == (b"a", b"")


def test_c_and_python_and_children_keep_their_order_on_one_stream(worker: Worker) -> None:
    code = (
        "import ctypes, os, subprocess, sys\nlibc = ctypes.CDLL(None)\nfor n in range(50):\n"
        "    print('p', n)\n    libc.printf(b'c %d\\n', n)\n    os.write(1, b'o %d\\n' % n)\n"
        "    sys.stdout.buffer.write(b'b %d\\n' % n); sys.stdout.flush()\n"
        "    if n % 10 == 0: subprocess.run(['echo', 's', str(n)])"
    )
    ways = [[b"p %d", b"c %d", b"o %d", b"b %d"] + [b"s %d"] * (n % 10 == 0) for n in range(50)]
    assert worker.run(code).out.splitlines() == [way % n for n, each in enumerate(ways) for way in each]


def test_bytes_that_are_no_text_arrive_as_they_are(worker: Worker) -> None:
    noise = bytes(range(256)) * 300
    run = worker.run("import os, sys\nsys.stdout.buffer.write(bytes(range(256)) * 300)\nos.write(2, b'\\xff\\x00')")
    assert (run.out, run.err) == (noise, b"\xff\x00")
    assert worker.run("print('\\ud800', '\\xe9', '\\0')").out == b"\\ud800 \xc3\xa9 \0\n"


def test_a_progress_bar_moves_while_the_code_goes_on(worker: Worker) -> None:
    # tqdm writes to stderr, a carriage return first; what stands there must not wait for a newline.
    code = (
        "import sys\nfor n in range(3):\n    sys.stderr.write(f'\\r{n}/3'); sys.stderr.flush()\n    input()\n"
        "print('done', end='\\r')"
    )
    seen = []

    def answer(message: dict[str, object]) -> None:
        if message["type"] == "input_request":
            seen.append(message["pipes"])
            worker.send("input_reply", request=message["request"], value="")

    run = worker.run(code, answer)
    assert seen == [[0, 4]] * 3
    assert (run.out, run.err) == (b"done\r", b"\r0/3\r1/3\r2/3")


def test_isatty_is_honest(worker: Worker) -> None:
    code = (
        "import os, sys\n[s.isatty() for s in (sys.stdin, sys.stdout, sys.stderr)] + "
        "[os.isatty(n) for n in range(3)] + [sys.stdout.fileno(), sys.stderr.fileno()]"
    )
    assert worker.run(code).text == "[False, False, False, False, False, False, 1, 2]"


def test_logging_of_the_template_and_of_the_session_arrives(launcher: Launcher) -> None:
    warmup = "import logging, sys; logging.basicConfig(format='%(message)s'); kept = sys.stdout"
    launcher.start_zygote("logs", warmupCode=warmup)
    worker = launcher.fork("logs")
    run = worker.run("logging.warning('w'); kept.write('k\\n'); print('p')\nlogging.getLogger('x').error('e')")
    assert (run.out, run.err) == (b"k\np\n", b"w\ne\n")
    launcher.kill(worker)
    worker.close()


def test_a_redirection_is_the_users(worker: Worker) -> None:
    code = "import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()) as s: print('in')\ns.getvalue()"
    run = worker.run(code)
    assert (run.text, run.out) == ("'in\\n'", b"")
    assert worker.run("print('out')").out == b"out\n"


@pytest.mark.parametrize("close", ["sys.stdout.close()", "sys.__stdout__.close()", "sys.stdout.detach().close()"])
def test_a_closed_stream_is_closed_for_its_execution(worker: Worker, close: str) -> None:
    run = worker.run(f"import sys; {close}; print('lost')")
    assert run.error["name"] == "ValueError"
    assert worker.run("print('seen')").out == b"seen\n"


def test_a_replaced_stream_that_never_flushes_is_under_the_interrupt(worker: Worker) -> None:
    code = (
        "import sys\nclass S:\n    def write(self, text): pass\n    def flush(self):\n"
        "        sys.__stdout__.write('on\\n')\n        while True: pass\nsys.stdout = S()"
    )
    execution = worker.start(code)
    os.set_blocking(worker.pipes[0], True)
    assert os.read(worker.pipes[0], 3) == b"on\n"
    worker.send("interrupt", execution=execution)
    assert worker.expect("finished")["status"] == "interrupted"


def test_a_broken_stream_in_the_place_of_ours_is_no_error(worker: Worker) -> None:
    assert worker.run("import sys\nclass S:\n    def flush(self): raise OSError\nsys.stdout = S(); 5").text == "5"
    assert worker.run("sys.stdout = 5; 6").text == "6"
    assert worker.run("sys.stdout = sys.__stdout__; print('seen')").out == b"seen\n"


def test_a_child_that_made_the_pipe_unwaiting_does_not_break_later_output(worker: Worker) -> None:
    # As Node.js does with its standard streams.
    worker.run(
        "import os, subprocess, sys\nsubprocess.run([sys.executable, '-c', 'import os; os.set_blocking(1, False)'])"
    )
    assert worker.run("os.get_blocking(1)").text == "True"


def test_output_of_a_child_that_outlives_its_execution_comes_later(worker: Worker) -> None:
    assert worker.run("import subprocess; c = subprocess.Popen('read x; echo late', shell=True, stdin=-1)").out == b""
    assert worker.run("c.communicate(b'go\\n'); c.returncode").out == b"late\n"
