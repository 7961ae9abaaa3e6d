"""Completion, inspection and variables, answered beside the running code by one thread that starts at first use."""

import queue
import threading
from collections.abc import Callable

from . import completion, variables
from .executor import die
from .frames import FrameTooLarge, Message
from .namespace import Namespace


class Requests:
    """The queue of questions about the namespace. None of them runs the user's code."""

    def __init__(self, namespace: Namespace, send: Callable[[Message], None]) -> None:
        self._namespace = namespace
        self._send = send
        self._queue: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def submit(self, message: Message) -> None:
        """From the protocol thread: queue a `complete`, `inspect` or `variables`."""
        self._queue.put(message)
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="replpool-requests", daemon=True)
            self._thread.start()

    def _serve(self) -> None:
        while True:
            message = self._queue.get()
            request = message.get("request")
            try:
                try:
                    answer = self._answer(message)
                except Exception as error:
                    text = f"{message['type']} failed: {type(error).__name__}: {error}"
                    answer = {"type": "problem", "code": "INTERNAL", "message": text}
                self._send(answer | {"request": request})
            except FrameTooLarge as error:
                self._send({"type": "problem", "request": request, "code": "PAYLOAD_TOO_LARGE", "message": str(error)})
            except BaseException as error:
                die(error)

    def _answer(self, message: Message) -> Message:
        if message["type"] == "variables":
            return self._variables(message.get("name"))
        answer = completion.complete if message["type"] == "complete" else completion.inspect
        names = self._namespace.names.copy()
        return {"type": "reply", "value": answer(message["code"], int(message["cursor"]), names)}

    def _variables(self, name: str | None) -> Message:
        held = self._namespace.variables()
        if name is None:
            return {"type": "reply", "value": {"items": [variables.entry(key, value) for key, value in held.items()]}}
        if name not in held:
            return {"type": "problem", "code": "VARIABLE_NOT_FOUND", "message": f"there is no variable {name!r}"}
        value = variables.entry(name, held[name]) | {"preview": variables.preview(held[name])}
        return {"type": "reply", "value": value}
