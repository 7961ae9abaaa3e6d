"""`input()`, `getpass()` and `sys.stdin` answered by the client, from any thread.

A wait ends by a value, EOF or an interrupt.
"""

import builtins
import getpass
import itertools
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from .frames import Message
from .stdin import Lines, TextInput

# Bound here: user code patches modules, as tests do, and must not hit the worker (test_patched_modules.py).
_get_ident = threading.get_ident


@dataclass
class _Request:
    # Its `execution` is known once it was sent.
    message: Message
    # Held until there is an answer; waiting for a lock is interruptible on the main thread.
    answered: threading.Lock = field(default_factory=threading.Lock)
    value: str | None = None
    eof: bool = False
    cancelled: bool = False


class Input:
    """The pending requests. `emit(message)` sends one, adding the `execution` that runs."""

    def __init__(
        self,
        emit: Callable[[Message], None],
        shield: AbstractContextManager[Any],
    ) -> None:
        self._emit = emit
        self._shield = shield
        self._requests: dict[str, _Request] = {}
        self._numbers = itertools.count(1)
        self._lines = Lines(self._ask_line, shield)
        self.stdin = TextInput(self._lines)
        self._closed = False
        self._main = threading.main_thread().ident

    def install(self) -> None:
        """Override input, getpass.getpass and sys.stdin, for every module and for good."""

        native = builtins.input

        def input(prompt: object = "", /) -> str:
            """Read a line from the session's client; EOFError when its input has ended."""
            if getattr(sys, "stdin", None) is not self.stdin:
                # User code put a file of its own there, and means that.
                return native(prompt)
            text = str(prompt)
            rest = self._lines.take_line()
            if rest is None:
                return self.ask(text, password=False)
            # Of a line that sys.stdin.read(n) began; nobody is asked, so the prompt is output, as with a pipe.
            sys.stdout.write(text)
            return rest.removesuffix("\n")

        def ask_password(prompt: str = "Password: ", stream: Any = None, *, echo_char: str | None = None) -> str:
            """Read a line from the session's client, which does not show it."""
            del stream, echo_char
            return self.ask(str(prompt), password=True)

        builtins.input = input
        # The latter two for those who took getpass itself before: without a terminal that ends in fallback_getpass.
        for name in ("getpass", "unix_getpass", "fallback_getpass"):
            setattr(getpass, name, ask_password)
        self._install_stdin()

    def begin(self) -> None:
        """Before an execution: what answered the one before is not for it, and a `sys.stdin` that it closed is back."""
        self._lines.forget()
        if self.stdin.closed:
            self._install_stdin()

    def close(self) -> None:
        """In a forked child of the user's: no client answers it."""
        self._closed = True
        self._lines.forget()

    def _install_stdin(self) -> None:
        former, self.stdin = self.stdin, TextInput(self._lines)
        # A file that user code put there stays.
        present = getattr(sys, "stdin", None)
        if present is former or present is sys.__stdin__:
            vars(sys).update(stdin=self.stdin)
        vars(sys).update(__stdin__=self.stdin)

    def ask(self, prompt: str, password: bool) -> str:
        """Send the request and wait. Raises EOFError, and KeyboardInterrupt when an interrupt ended the wait."""
        return self._ask(prompt, password)[0]

    def _ask_line(self) -> str:
        """Likewise for `sys.stdin`: with its newline, unless it is the last of a text that ends without one."""
        value, is_last = self._ask("", password=False)
        return value if is_last else value + "\n"

    def _ask(self, prompt: str, password: bool) -> tuple[str, bool]:
        if self._closed:
            raise EOFError("no client answers input() in a forked child process")
        number = str(next(self._numbers))
        try:
            message: Message = {"type": "input_request", "request": number, "prompt": prompt, "password": password}
            # The time limit stands still while the code waits; a thread of its own may wait while the code goes on.
            message["main"] = _get_ident() == self._main
            request = _Request(message)
            request.answered.acquire()
            self._requests[number] = request
            with self._shield:
                self._emit(message)
            request.answered.acquire()
        except BaseException:
            with self._shield:
                self._cancel(number)
            raise
        if request.cancelled:
            raise KeyboardInterrupt
        if request.value is None:
            raise EOFError("the input has ended")
        return request.value, request.eof

    def reply(self, message: Message) -> None:
        """From the protocol thread: an `input_reply`. One that comes after its request was cancelled is dropped."""
        request = self._requests.pop(str(message.get("request")), None)
        if request:
            request.eof = bool(message.get("eof"))
            value = message.get("value")
            request.value = None if value is None else str(value)
            request.answered.release()

    def cancel(self, execution: str) -> None:
        """End the waits of an interrupted execution's other threads."""
        for number, request in list(self._requests.items()):
            if request.message.get("execution") == execution:
                self._cancel(number)

    def _cancel(self, number: str) -> None:
        request = self._requests.pop(number, None)
        if request:
            self._emit({"type": "input_cancelled", "request": number})
            request.cancelled = True
            request.answered.release()
