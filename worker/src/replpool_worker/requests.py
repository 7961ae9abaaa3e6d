"""Completion, inspection and variables, answered beside the running code by one thread that starts at first use."""

import _thread
import contextlib
import queue
import threading
from collections.abc import Callable, Mapping
from typing import Any

from . import completion, variables
from .executor import die
from .frames import FrameTooLarge, Message
from .namespace import HIDDEN, Namespace
from .threads import Threads
from .tracebacks import name_of

# Bound here: user code patches modules, as tests do, and must not hit the worker (test_patched_modules.py).
_start_new_thread, _Lock, _SimpleQueue = _thread.start_new_thread, threading.Lock, queue.SimpleQueue

Copies = Callable[[object], Mapping[str, Any] | None]


class Requests:
    """The queue of questions about the namespace. None of them runs the user's code.

    `copies(snapshot)` gives the names of a copy of the namespace, by which a question that names one is answered.
    """

    def __init__(self, namespace: Namespace, send: Callable[[Message], None], threads: Threads, copies: Copies) -> None:
        self._namespace = namespace
        self._send = send
        self._threads = threads
        self._copies = copies
        self.restart()

    def restart(self) -> None:
        """Without questions and without the thread; in a forked process, too."""
        self._queue: queue.SimpleQueue[Message] = _SimpleQueue()
        self._is_served = False
        # Held while a question is answered; who else holds it may fork.
        self.idle = _Lock()

    def submit(self, message: Message) -> None:
        """From the protocol thread: queue a `complete`, `inspect` or `variables`."""
        self._queue.put(message)
        if not self._is_served:
            # Not threading.Thread, whose start runs what user code set: trace functions, and sys.stderr must be there.
            try:
                _start_new_thread(self._serve, ())
                self._is_served = True
            except RuntimeError as error:
                # No more threads (a limit on processes, or on memory); the next question may find room again.
                request = self._queue.get()["request"]
                self._send({"type": "problem", "request": request, "code": "INTERNAL", "message": str(error)})

    def _serve(self) -> None:
        self._threads.enter()
        while True:
            message = self._queue.get()
            try:
                with self.idle:
                    self.answer(message)
            except BaseException as error:
                die(error)

    def answer(self, message: Message) -> None:
        """Answer one, on the thread that calls. Raises OSError where there is no connection any more."""
        request = message.get("request")
        try:
            try:
                answer = self._answer(message)
            except BaseException as error:
                # Of jedi's or the user's: a question never ends a session. Its text may be user code as well.
                text = f"{message['type']} failed: {name_of(type(error))}"
                with contextlib.suppress(BaseException):
                    text = f"{text}: {error}"
                answer = {"type": "problem", "code": "INTERNAL", "message": text}
            self._send(answer | {"request": request})
        except (FrameTooLarge, MemoryError) as error:
            text = str(error) or "there is no memory for the answer"
            self._send({"type": "problem", "request": request, "code": "PAYLOAD_TOO_LARGE", "message": text})

    def _answer(self, message: Message) -> Message:
        named = self._namespace.named()
        if "snapshot" in message:
            copied = self._copies(message["snapshot"])
            if copied is None:
                return {"type": "problem", "code": "NO_TRANSACTION", "message": "there is no such snapshot"}
            # Modules and builtins are not copied: what no variable is stays.
            named = {name: value for name, value in named.items() if name in HIDDEN} | dict(copied)
        if message["type"] == "variables":
            return self._variables(message.get("name"), named)
        answer = completion.complete if message["type"] == "complete" else completion.inspect
        return {"type": "reply", "value": answer(message["code"], int(message["cursor"]), named)}

    def _variables(self, name: str | None, named: Mapping[str, Any]) -> Message:
        held = {key: value for key, value in named.items() if key not in HIDDEN}
        if name is None:
            return {"type": "reply", "value": {"items": [variables.entry(key, value) for key, value in held.items()]}}
        if name not in held:
            return {"type": "problem", "code": "VARIABLE_NOT_FOUND", "message": f"there is no variable {name!r}"}
        value = variables.entry(name, held[name]) | {"preview": variables.preview(held[name])}
        return {"type": "reply", "value": value}
