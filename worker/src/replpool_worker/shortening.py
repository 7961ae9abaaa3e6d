"""What is left of a message of ours that exceeds a frame.

Bounds are in bytes of UTF-8, and leave room for JSON, which writes a control character in six: the sums below are a
tenth of a frame at most.
"""

from collections.abc import Callable, Iterable
from typing import Any

from .frames import FrameTooLarge, Message, encode

LIMIT = 1 << 20
# Of all representations but text/plain, and how many there may be.
OTHERS = 4 << 20
KINDS = 100
NAME = 1000
NAMES = 10_000
LINES = 50


def send_what_fits(send: Callable[..., None], messages: list[Message], settle: Callable[[], None]) -> None:
    """Send the messages that end an execution: whole, else shortened, else empty; where not whole, with a warning.

    `send` is a Connection's: it calls `settle()` once, before it finds out that a message does not fit.
    """
    try:
        send(*messages, settle=settle)
        return
    except (FrameTooLarge, MemoryError) as error:
        note: Message = {
            "type": "warning",
            "execution": messages[-1]["execution"],
            "code": "OUTPUT_TRUNCATED",
            "message": str(error) or "there is no memory to send it all",
        }
    try:
        for message in messages:
            shorten(message)
        send(note, *messages)
    except (FrameTooLarge, MemoryError):
        # No value of the user's is worth the session.
        for message in messages:
            empty(message)
        send(note, *messages)


def shorten(message: Message) -> None:
    """Cut the text of a bundle or an error to 1 MiB, and drop what is longer or no text, in place."""
    if isinstance(message.get("data"), dict):
        message["data"] = _bundle(message["data"])
        if not _is_small(message.get("metadata")):
            message["metadata"] = {}
    error = message.get("error")
    if isinstance(error, dict):
        error["name"] = cut_text(error["name"], NAME)
        error["message"] = cut_text(error["message"], LIMIT)
        error["traceback"] = [cut_text(line, LIMIT // LINES) for line in error["traceback"][-LINES:]]
    variables = message.get("variables")
    if isinstance(variables, dict):
        for key, names in variables.items():
            variables[key] = _within((cut_text(name, NAME) for name in names[:NAMES]), LIMIT)


def empty(message: Message) -> None:
    """Leave nothing of the user's in a `result`, an `error` or a `finished`, in place."""
    if "data" in message:
        message["data"], message["metadata"] = {"text/plain": "<a result that cannot be sent>"}, {}
    if "error" in message:
        message["error"] = {"name": "Exception", "message": "(an error that cannot be sent)", "traceback": []}
    if "variables" in message:
        message["variables"] = {"added": [], "changed": [], "deleted": []}


def cut_text(text: str, limit: int) -> str:
    """The text, or as much of its beginning as fits into so many bytes, and an ellipsis."""
    kept = text[:limit].encode("utf-8", "backslashreplace")
    if len(kept) <= limit and len(text) <= limit:
        return text
    return kept[:limit].decode("utf-8", "ignore") + "…"


def _bundle(data: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    if isinstance(data.get("text/plain"), str):
        kept["text/plain"] = cut_text(data["text/plain"], LIMIT)
    left = OTHERS
    for kind, value in data.items():
        # Half an image or half of some markup is none.
        if kind in kept or not isinstance(value, str) or len(kind) > NAME or len(value) > LIMIT:
            continue
        left -= len(value.encode("utf-8", "backslashreplace"))
        if left < 0 or len(kept) == KINDS:
            break
        kept[kind] = value
    return kept


def _is_small(metadata: object) -> bool:
    try:
        return len(encode({"metadata": metadata}, "json")) <= LIMIT
    except (FrameTooLarge, MemoryError):
        return False


def _within(texts: Iterable[str], limit: int) -> list[str]:
    """The first of them, of so many bytes together."""
    kept = []
    for text in texts:
        limit -= len(text.encode("utf-8", "backslashreplace"))
        if limit < 0:
            break
        kept.append(text)
    return kept
