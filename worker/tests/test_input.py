"""input() and getpass(): answered from outside, wherever they are called."""

from typing import Any

from agent import Worker


class Answers:
    """Answers each input_request with the next of its values; None is end of file."""

    def __init__(self, worker: Worker, *values: str | None) -> None:
        self.worker = worker
        self.values = list(values)
        self.prompts: list[str] = []

    def __call__(self, message: dict[str, Any]) -> None:
        """Look at one frame."""
        if message["type"] == "input_request":
            self.prompts.append(message["prompt"])
            value = self.values.pop(0)
            answer = {"eof": True} if value is None else {"value": value}
            self.worker.send("input_reply", request=message["request"], **answer)


def test_input_works_in_functions_and_loops(worker: Worker) -> None:
    answers = Answers(worker, "Ada", "5", "6")
    run = worker.run("def ask(): return input('name? ')\nn = ask()\n[n] + [int(input(i)) for i in range(2)]", answers)
    assert run.text == "['Ada', 5, 6]"
    assert answers.prompts == ["name? ", "0", "1"]
    assert worker.run("ask()", Answers(worker, "again")).text == "'again'"


def test_input_works_in_threads_and_to_thread(worker: Worker) -> None:
    code = "import asyncio\nsorted(await asyncio.gather(asyncio.to_thread(input, 'a'), asyncio.to_thread(input, 'b')))"
    assert worker.run(code, Answers(worker, "1", "2")).text == "['1', '2']"


def test_output_before_input_is_flushed_first(worker: Worker) -> None:
    run = worker.run("print('before', end='')\ninput()", Answers(worker, "x"))
    assert run.out == b"before"
    assert run.one("input_request")["pipes"][0] == 6


def test_getpass_asks_for_a_password(worker: Worker) -> None:
    run = worker.run("import getpass; getpass.getpass('secret: ')", Answers(worker, "s"))
    assert run.text == "'s'"
    assert run.one("input_request")["password"] is True


def test_the_end_of_input_is_an_eof_error(worker: Worker) -> None:
    assert worker.run("input()", Answers(worker, None)).error["name"] == "EOFError"


def test_stdin_asks_for_each_line_it_needs(worker: Worker) -> None:
    worker.run("import sys")
    answers = Answers(worker, "a", "é b", "", None)
    assert worker.run("sys.stdin.readline(), list(sys.stdin)", answers).text == repr(("a\n", ["é b\n", "\n"]))
    assert answers.prompts == ["", "", "", ""]
    assert worker.run("sys.stdin.read()", Answers(worker, "a", "b", None)).text == repr("a\nb\n")
    assert worker.run("sys.stdin.readlines()", Answers(worker, None)).text == "[]"
    assert worker.run("sys.stdin.read(4), sys.stdin.read(1)", Answers(worker, "añ", "c")).text == repr(("añ\nc", "\n"))
    assert worker.run("sys.stdin.readline(2), sys.stdin.readline()", Answers(worker, "éñxy")).text == repr(
        ("éñ", "xy\n")
    )
    assert worker.run("sys.stdin.readline(9)", Answers(worker, "é")).text == repr("é\n")


def test_stdin_has_bytes_too(worker: Worker) -> None:
    worker.run("import io, sys\nb = sys.stdin.buffer")
    assert worker.run("b.readline(), b.read(3), b.read1()", Answers(worker, "é", "abcd")).text == repr(
        ("é\n".encode(), b"abc", b"d\n")
    )
    assert worker.run("b.peek(), b.read()", Answers(worker, "é", None)).text == repr(("é\n".encode(), "é\n".encode()))
    assert worker.run("a = bytearray(4); b.readinto(a), a", Answers(worker, "xyz")).text == "(4, bytearray(b'xyz\\n'))"
    # Half a code point goes one way, and the rest another.
    assert worker.run("b.read(1), sys.stdin.read(2)", Answers(worker, "é")).text == repr((b"\xc3", "\udca9\n"))
    code = "w = io.TextIOWrapper(b, encoding='utf-8'); r = w.readline(), w.readline(); w.detach(); r"
    assert worker.run(code, Answers(worker, "1", "2")).text == repr(("1\n", "2\n"))
    assert worker.run("sys.stdin.read()", Answers(worker, "\ud800", None)).status == "ok"


def test_input_and_stdin_mix_in_order(worker: Worker) -> None:
    answers = Answers(worker, "one", "two", "three")
    run = worker.run("import sys\n[sys.stdin.read(1), input('? '), input('! '), sys.stdin.readline()]", answers)
    assert run.text == repr(["o", "ne", "two", "three\n"])
    assert answers.prompts == ["", "! ", ""]
    assert run.out == b"? "


def test_what_answered_one_execution_is_not_for_the_next(worker: Worker) -> None:
    worker.run("import sys; sys.stdin.read(1)", Answers(worker, "old"))
    assert worker.run("input()", Answers(worker, "new")).text == "'new'"


def test_the_end_of_stdin_holds_for_that_read_alone(worker: Worker) -> None:
    worker.run("import sys")
    code = "sys.stdin.read(), sys.stdin.readline(), input()"
    assert worker.run(code, Answers(worker, "a", None, "b", "c")).text == repr(("a\n", "b\n", "c"))


def test_a_last_line_without_its_newline(worker: Worker) -> None:
    def answer(message: dict[str, Any]) -> None:
        if message["type"] == "input_request":
            last = {"eof": True, "value": "b"} if message["request"] == "1" else {"eof": True}
            worker.send("input_reply", request=message["request"], **last)

    assert worker.run("import sys; sys.stdin.read()", answer).text == "'b'"


def test_stdin_is_honest_about_itself(worker: Worker) -> None:
    code = (
        "import io, os, select, subprocess, sys\n"
        "s = sys.stdin\n"
        "r = (s.isatty(), s.fileno(), s.readable(), s.writable(), s.seekable(), s.encoding, s.name)\n"
        "s.reconfigure(encoding='utf-8', errors='replace')\n"
        "c = subprocess.run(['cat'], stdin=s, capture_output=True, check=True).stdout\n"
        "n = subprocess.run([sys.executable, '-c', 'import sys; print(repr(sys.stdin.read()))'], capture_output=True)\n"
        "r + (s is sys.__stdin__, os.isatty(s.fileno()), c, n.stdout, isinstance(s, io.TextIOBase))"
    )
    assert worker.run(code).text == (
        "(False, 0, True, False, False, 'utf-8', '<stdin>', True, False, b'', b\"''\\n\", True)"
    )


def test_a_stdin_of_the_users_own_is_read(worker: Worker) -> None:
    worker.run("import io, sys\nmine = sys.stdin = io.StringIO('x\\ny\\n')")
    run = worker.run("input('p '), sys.stdin.readline(), sys.stdin is mine")
    assert (run.text, run.out) == (repr(("x", "y\n", True)), b"p ")
    worker.run("sys.stdin = sys.__stdin__")
    assert worker.run("input()", Answers(worker, "asked")).text == "'asked'"


def test_a_closed_stdin_is_closed_for_its_execution(worker: Worker) -> None:
    run = worker.run("import sys; sys.stdin.close(); sys.stdin.readline()")
    assert (run.error["name"], run.error["message"]) == ("ValueError", "I/O operation on closed file.")
    assert worker.run("sys.stdin.readline()", Answers(worker, "x")).text == repr("x\n")


def test_an_interrupt_ends_a_read_of_stdin_and_loses_no_line(worker: Worker) -> None:
    execution = worker.start("import sys\ntry: sys.stdin.read()\nexcept KeyboardInterrupt: pass\nsys.stdin.readline()")
    first = worker.expect("input_request")["request"]
    worker.send("input_reply", request=first, value="kept")
    worker.expect("input_request")
    worker.send("interrupt", execution=execution)
    worker.expect("input_cancelled")
    assert worker.expect("result")["data"]["text/plain"] == repr("kept\n")


def test_getpass_hides_however_it_was_taken(worker: Worker) -> None:
    worker.run("import getpass, importlib.util\nspec = importlib.util.find_spec('getpass')")
    # As a module that a template preloads has it: the function from before the override.
    code = (
        "import inspect, types\nsource = inspect.getsource(getpass)\nfresh = types.ModuleType('getpass')\n"
        "exec(source, fresh.__dict__)\nold = types.FunctionType(fresh.unix_getpass.__code__, vars(getpass),"
        " 'old', fresh.unix_getpass.__defaults__)\nold.__kwdefaults__ = fresh.unix_getpass.__kwdefaults__\n"
        "old('secret? ')"
    )
    run = worker.run(code, Answers(worker, "s"))
    assert run.text == "'s'", run.traceback
    assert (run.one("input_request")["password"], run.one("input_request")["prompt"]) == (True, "secret? ")


def test_pdb_and_code_interact_ask(worker: Worker) -> None:
    answers = Answers(worker, "p 6 * 7", "c")
    assert worker.run("import pdb; pdb.Pdb().set_trace()\nlast = 1", answers).out.count(b"42\n") == 1
    answers = Answers(worker, "print(6 * 7)", None)
    assert b"42\n" in worker.run("import code; code.interact(banner='', exitmsg='')", answers).out


def test_children_of_user_code_are_at_the_end_of_stdin(worker: Worker) -> None:
    code = (
        "import os, sys\npid = os.fork()\nif pid == 0:\n"
        "    os._exit(9 if sys.stdin.read() == '' and sys.stdin.readline() == '' else 1)\nos.waitpid(pid, 0)[1] >> 8"
    )
    assert worker.run(code).text == "9"


def test_a_child_process_of_user_code_has_no_input(worker: Worker) -> None:
    code = (
        "import os\npid = os.fork()\nif pid == 0:\n    try: input()\n    except EOFError: os._exit(9)\n"
        "os.waitpid(pid, 0)[1] >> 8"
    )
    assert worker.run(code).text == "9"
