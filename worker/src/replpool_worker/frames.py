"""Frames: a u32 big-endian length, then one message in JSON or msgpack (docs/worker-protocol.md, Frames)."""

import base64
import json
import math
import os
import struct
from collections.abc import Callable, Iterable
from typing import Any

import msgpack

Message = dict[str, Any]

HEADER = struct.Struct(">I")
MAX_MESSAGE_BYTES = 64 * 1024 * 1024
# An agent takes no message with more values: they need far more of its memory than of a frame.
MAX_VALUES = 2_097_152
READ_BYTES = 256 * 1024

# Bound here: user code patches modules, as tests do, and must not hit the worker (test_patched_modules.py).
_read, _write, _loads, _isfinite = os.read, os.write, json.loads, math.isfinite
_packb, _unpackb, _b64encode = msgpack.packb, msgpack.unpackb, base64.b64encode


class ProtocolError(Exception):
    """The other side broke the protocol; the worker that saw it ends."""


class FrameTooLarge(Exception):
    """A message of ours is longer than a frame may be, or holds what no frame can."""


def _base64(value: object) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return _b64encode(value).decode("ascii")
    raise TypeError(f"{type(value).__name__} is not part of a message")


_json = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_base64)


def _pack_json(message: Message) -> bytes:
    return _json.encode(message).encode("utf-8")


def _pack_msgpack(message: Message) -> bytes:
    packed: bytes = _packb(message, use_bin_type=True)
    return packed


def clean(value: object, depth: int = 0) -> object:
    """The nearest value that both codecs can carry: user code may hand anything to a MIME bundle.

    Lone surrogates become backslash escapes, integers beyond 64 bits and foreign objects their text, NaN and
    infinities None, keys text; nesting ends at 64.
    """
    if isinstance(value, str):
        return str.encode(value, "utf-8", "backslashreplace").decode("utf-8")
    if value is None or value is True or value is False:
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, int):
        # Not int(), which asks a class of the user's; the sum is an int of Python's own.
        plain = int.__add__(value, 0)
        return plain if -(2**63) <= plain < 2**64 else hex(plain)
    if isinstance(value, float):
        return float.__float__(value) if _isfinite(value) else None
    if depth < 64 and isinstance(value, dict):
        return {str(clean(str(key))): clean(item, depth + 1) for key, item in value.items()}
    if depth < 64 and isinstance(value, list | tuple):
        return [clean(item, depth + 1) for item in value]
    return f"<{type(value).__name__}>"


def encode(message: Message, codec: str) -> bytes:
    """One frame, header included. Raises FrameTooLarge."""
    pack: Callable[[Message], bytes] = _pack_json if codec == "json" else _pack_msgpack
    try:
        body = pack(message)
    except (ValueError, TypeError, OverflowError, RecursionError):
        cleaned = clean(message)
        assert isinstance(cleaned, dict)
        try:
            body = pack(cleaned)
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise FrameTooLarge(f"a message that no frame can hold: {error}") from error
    if len(body) > MAX_MESSAGE_BYTES:
        raise FrameTooLarge(f"a message of {len(body)} bytes; a frame holds at most {MAX_MESSAGE_BYTES}")
    # A value takes a byte at least, so that the common message needs no counting.
    if len(body) > MAX_VALUES and _count(message) > MAX_VALUES:
        raise FrameTooLarge(f"a message of more than {MAX_VALUES} values")
    return HEADER.pack(len(body)) + body


def _count(message: Message) -> int:
    """The values in a message, keys and containers included."""
    values = 1
    containers: list[dict[Any, Any] | list[Any] | tuple[Any, ...]] = [message]
    while containers:
        container = containers.pop()
        items: Iterable[Any] = container.values() if isinstance(container, dict) else container
        values += len(container) * (2 if isinstance(container, dict) else 1)
        containers.extend(item for item in items if isinstance(item, dict | list | tuple))
    return values


def decode(body: bytes, codec: str) -> Message:
    """The message of a frame's body. Raises ProtocolError where it is not a map of that codec."""
    try:
        # surrogatepass: code with a lone surrogate is the user's mistake, answered by an error, not by an end.
        message = _loads(body) if codec == "json" else _unpackb(body, raw=False, unicode_errors="surrogatepass")
    except (ValueError, RecursionError, msgpack.exceptions.UnpackException) as error:
        raise ProtocolError(f"a frame that is not {codec}: {error}") from error
    if not isinstance(message, dict):
        raise ProtocolError(f"a frame whose message is a {type(message).__name__}, not a map")
    return message


class FrameReader:
    """Takes frames off a blocking file descriptor, whatever the pieces in which they come."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._buffer = bytearray()

    def read(self) -> bytes:
        """The next frame's body. Raises EOFError between frames, ProtocolError inside one or when it is too long."""
        self._fill(HEADER.size)
        (length,) = HEADER.unpack_from(self._buffer)
        if length > MAX_MESSAGE_BYTES:
            raise ProtocolError(f"a frame of {length} bytes; at most {MAX_MESSAGE_BYTES} are allowed")
        end = HEADER.size + length
        self._fill(end)
        body = bytes(memoryview(self._buffer)[HEADER.size : end])
        del self._buffer[:end]
        return body

    def has_frame(self) -> bool:
        """Whether read() would return without waiting."""
        if len(self._buffer) < HEADER.size:
            return False
        (length,) = HEADER.unpack_from(self._buffer)
        return bool(length > MAX_MESSAGE_BYTES) or len(self._buffer) >= HEADER.size + length

    def take(self, size: int = READ_BYTES) -> None:
        """Wait for bytes and take what is there, about `size` at most. Raises EOFError and ProtocolError as read()."""
        try:
            data = _read(self._fd, max(READ_BYTES, min(size, 4 * 1024 * 1024)))
        except ConnectionResetError:
            data = b""
        if not data:
            if self._buffer:
                raise ProtocolError("end of file inside a frame")
            raise EOFError
        self._buffer += data

    def _fill(self, size: int) -> None:
        while len(self._buffer) < size:
            self.take(size - len(self._buffer))


def write_all(fd: int, data: bytes) -> None:
    """Write all of data to a blocking file descriptor. Raises OSError."""
    written = _write(fd, data)
    if written < len(data):
        view = memoryview(data)
        while written < len(data):
            written += _write(fd, view[written:])
