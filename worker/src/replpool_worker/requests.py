"""Completion, inspection and variables, answered beside the running code by one thread that starts at first use."""

import _thread
import contextlib
import queue
from collections.abc import Callable

from . import completion, variables
from .executor import die
from .frames import FrameTooLarge, Message
from .namespace import Namespace
from .tracebacks import name_of

# Bound here: user code patches modules, as tests do, and must not hit the worker (test_patched_modules.py).
_start_new_thread = _thread.start_new_thread


class Requests:
    """The queue of questions about the namespace. None of them runs the user's code."""

    def __init__(self, namespace: Namespace, send: Callable[[Message], None]) -> None:
        self._namespace = namespace
        self._send = send
        self._queue: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._is_served = False

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
        while True:
            message = self._queue.get()
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
            except BaseException as error:
                die(error)

    def _answer(self, message: Message) -> Message:
        if message["type"] == "variables":
            return self._variables(message.get("name"))
        answer = completion.complete if message["type"] == "complete" else completion.inspect
        return {"type": "reply", "value": answer(message["code"], int(message["cursor"]), self._namespace.named())}

    def _variables(self, name: str | None) -> Message:
        held = self._namespace.variables()
        if name is None:
            return {"type": "reply", "value": {"items": [variables.entry(key, value) for key, value in held.items()]}}
        if name not in held:
            return {"type": "problem", "code": "VARIABLE_NOT_FOUND", "message": f"there is no variable {name!r}"}
        value = variables.entry(name, held[name]) | {"preview": variables.preview(held[name])}
        return {"type": "reply", "value": value}
