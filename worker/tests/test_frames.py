"""Frames and the codecs, against the golden vectors that the TypeScript side uses too."""

import base64
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from replpool_worker.frames import (
    HEADER,
    MAX_MESSAGE_BYTES,
    MAX_VALUES,
    FrameReader,
    FrameTooLarge,
    ProtocolError,
    decode,
    encode,
)

VECTORS = Path(__file__).resolve().parents[2] / "protocol" / "vectors" / "frames.json"


def plain(value: Any, codec: str) -> Any:
    """A vector's message as the codec gives it: binary is bytes in msgpack, base64 text in JSON."""
    if isinstance(value, dict):
        if set(value) == {"$bytes"}:
            return base64.b64decode(value["$bytes"]) if codec == "msgpack" else value["$bytes"]
        return {key: plain(item, codec) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item, codec) for item in value]
    return value


def vectors() -> list[Any]:
    """The golden frames; none where the protocol package is not beside this one."""
    if not VECTORS.exists():
        return []
    return [pytest.param(one, id=one["name"]) for one in json.loads(VECTORS.read_text("utf-8"))["frames"]]


@pytest.mark.parametrize("vector", vectors())
def test_golden_frames_decode_and_encode(vector: dict[str, Any]) -> None:
    frame = bytes.fromhex(vector["hex"])
    message = plain(vector["message"], vector["codec"])
    (length,) = HEADER.unpack_from(frame)
    assert length == len(frame) - 4
    assert decode(frame[4:], vector["codec"]) == message
    again = encode(message, vector["codec"])
    assert decode(again[4:], vector["codec"]) == message
    if vector.get("canonical"):
        assert again == frame


@pytest.mark.parametrize("codec", ["msgpack", "json"])
def test_frames_split_at_every_byte_arrive_whole(codec: str) -> None:
    messages = [{"type": "a", "n": 1, "text": "ä€😀"}, {"type": "b", "n": 2, "list": [1, None, True, -1.5]}]
    stream = b"".join(encode(message, codec) for message in messages)
    for cut in range(1, len(stream)):
        read, write = os.pipe()
        pieces = stream[:cut], stream[cut:]

        def feed(write: int = write, pieces: tuple[bytes, bytes] = pieces) -> None:
            for piece in pieces:
                os.write(write, piece)
            os.close(write)

        thread = threading.Thread(target=feed)
        thread.start()
        reader = FrameReader(read)
        assert [decode(reader.read(), codec) for _ in messages] == messages
        with pytest.raises(EOFError):
            reader.read()
        thread.join()
        os.close(read)


def test_an_end_inside_a_frame_is_an_error() -> None:
    read, write = os.pipe()
    os.write(write, encode({"type": "a"}, "json")[:-1])
    os.close(write)
    with pytest.raises(ProtocolError, match="inside a frame"):
        FrameReader(read).read()
    os.close(read)


def test_a_frame_announced_too_long_is_refused_unread() -> None:
    read, write = os.pipe()
    os.write(write, HEADER.pack(MAX_MESSAGE_BYTES + 1))
    with pytest.raises(ProtocolError, match="at most"):
        FrameReader(read).read()
    os.close(read)
    os.close(write)


def test_a_message_too_long_is_not_encoded() -> None:
    with pytest.raises(FrameTooLarge):
        encode({"type": "a", "data": b"x" * (MAX_MESSAGE_BYTES + 1)}, "msgpack")


@pytest.mark.parametrize("codec", ["msgpack", "json"])
def test_a_message_of_too_many_values_is_not_encoded(codec: str) -> None:
    most = [0] * (MAX_VALUES - 4)
    assert len(encode({"data": {"a": most[:-1]}}, codec)) > MAX_VALUES
    with pytest.raises(FrameTooLarge, match="values"):
        encode({"data": {"a": [*most, 0]}}, codec)


@pytest.mark.parametrize("codec", ["msgpack", "json"])
@pytest.mark.parametrize("body", [b"", b"\xc1", b"[]", b"\x90", b"{", b"[" * 100_000, b"\x91" * 100_000])
def test_what_is_no_message_is_a_protocol_error(codec: str, body: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode(body, codec)


@pytest.mark.parametrize("codec", ["msgpack", "json"])
def test_whatever_user_code_returns_is_carried(codec: str) -> None:
    loop: list[Any] = []
    loop.append(loop)
    strange = {"type": "a", "data": {1: "\ud800", "n": float("nan"), "big": 2**70, "o": object(), "l": loop, "b": b"x"}}
    message = decode(encode(strange, codec)[4:], codec)["data"]
    assert message["1"] == "\\ud800"
    assert message["n"] is None
    assert message["big"] == hex(2**70)
    assert message["o"] == "<object>"
