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


def test_a_child_process_of_user_code_has_no_input(worker: Worker) -> None:
    code = (
        "import os\npid = os.fork()\nif pid == 0:\n    try: input()\n    except EOFError: os._exit(9)\n"
        "os.waitpid(pid, 0)[1] >> 8"
    )
    assert worker.run(code).text == "9"
