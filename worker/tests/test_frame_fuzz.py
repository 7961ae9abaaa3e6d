"""Hostile bytes at the frame parser: each is a message or a ProtocolError. SEED, FUZZ_ROUNDS: which and how many."""

import json
import os
import random
import resource
import threading
import time
from pathlib import Path

import msgpack
import pytest

from replpool_worker.connection import Connection
from replpool_worker.frames import HEADER, FrameReader, Message, ProtocolError, decode, encode

VECTORS = Path(__file__).resolve().parents[2] / "protocol" / "vectors" / "frames.json"
ROUNDS = int(os.environ.get("FUZZ_ROUNDS", "480000"))
SEED = int(os.environ.get("SEED", time.time_ns() % 2**31))
LENGTHS = (0, 1, 2**26, 2**26 + 1, 2**31, 2**32 - 1)
NAMES = ("type", "n", "ack", "execution", "code", "request", "value", "cursor", "__class__")
PLAIN: tuple[object, ...] = (
    None,
    True,
    -1,
    0,
    1.5,
    2**53,
    -(2**40),
    "",
    "x" * 200,
    [],
    {},
    "execute",
    "interrupt",
    "hello",
)


def golden() -> list[tuple[str, bytes]]:
    """Codec and bytes of the golden frames; one of our own where the protocol package is not beside this one."""
    if not VECTORS.exists():
        return [(codec, encode({"type": "execute", "n": 1, "code": "1"}, codec)) for codec in ("json", "msgpack")]
    return [(one["codec"], bytes.fromhex(one["hex"])) for one in json.loads(VECTORS.read_text("utf-8"))["frames"]]


GOLDEN = golden()


def framed(body: bytes) -> bytes:
    """A frame, whatever its body is."""
    return HEADER.pack(len(body)) + body


def strange(chance: random.Random, depth: int = 3) -> object:
    """A value of a wrong type."""
    if depth == 0 or chance.random() < 0.6:
        return chance.choice(PLAIN)
    values = [strange(chance, depth - 1) for _ in range(chance.randrange(5))]
    return values if chance.random() < 0.5 else {chance.choice(NAMES): value for value in values}


def nested(chance: random.Random, codec: str) -> bytes:
    """Containers in containers that announce more than they hold."""
    depth = chance.choice((3, 100, 600, 1100, 20_000))
    opening = chance.choice(
        (b"[", b'{"a":', b"[[],") if codec == "json" else (b"\x91", b"\x81\xa1a", b"\xdd\x7f\xff\xff\xff")
    )
    return opening * depth + chance.randbytes(chance.randrange(8))


def mutated(chance: random.Random, frame: bytes) -> bytes:
    """A golden message with mistakes, perhaps with the end of another."""
    body = bytearray(frame[4:])
    for _ in range(chance.randrange(1, 7)):
        body[chance.randrange(len(body))] = chance.randrange(256)
    if chance.random() < 0.5:
        other = chance.choice(GOLDEN)[1]
        body[chance.randrange(len(body)) :] = other[chance.randrange(len(other)) :]
    return bytes(body)


def hostile(chance: random.Random) -> tuple[str, bytes]:
    """A codec, and bytes as a broken agent sends them."""
    codec, frame = chance.choice(GOLDEN)
    kind = chance.randrange(40)
    if kind == 0:
        # Rare, for it is slow.
        return codec, framed(nested(chance, codec))
    if kind < 6:
        return codec, framed(chance.randbytes(chance.randrange(64)))
    if kind < 10:
        return codec, HEADER.pack(chance.choice(LENGTHS)) + frame[4:]
    if kind < 15:
        return codec, frame[: chance.randrange(len(frame))]
    if kind < 22:
        message: Message = {chance.choice(NAMES): strange(chance) for _ in range(5)}
        return codec, encode(message, codec)
    return codec, framed(mutated(chance, frame))


@pytest.mark.parametrize("seed", [pytest.param(SEED, id=f"SEED={SEED}")])
def test_hostile_messages_are_messages_or_protocol_errors(seed: int) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused = 0
    for number in range(ROUNDS):
        chance = random.Random(seed + number)
        codec, data = hostile(chance)
        try:
            assert isinstance(decode(data[4:], codec), dict)
        except ProtocolError:
            refused += 1
        except Exception as error:
            pytest.fail(f"SEED={seed + number} FUZZ_ROUNDS=1: {error!r}")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 256 * 1024, f"SEED={seed}: {grown} KiB more"
    # Else it has tried one kind only.
    assert ROUNDS < 1000 or ROUNDS // 4 < refused < ROUNDS - ROUNDS // 100


def receive_all(data: bytes, codec: str) -> list[Message]:
    """What a connection makes of a stream that ends. Raises ProtocolError."""
    read, write = os.pipe()

    def feed() -> None:
        with open(write, "wb", buffering=0) as stream:
            view = memoryview(data)
            while view:
                view = view[stream.write(view) :]

    thread = threading.Thread(target=feed)
    thread.start()
    answers = os.open(os.devnull, os.O_WRONLY)
    try:
        connection = Connection(read, answers)
        connection.codec = codec
        messages = []
        while True:
            messages.append(connection.receive())
    except EOFError:
        return messages
    finally:
        # What is left is read, so that its writer ends.
        while os.read(read, 1 << 20):
            pass
        thread.join()
        os.close(read)
        os.close(answers)


def test_hostile_streams_end_in_messages_or_in_a_protocol_error() -> None:
    for number in range(max(1, ROUNDS // 200)):
        chance = random.Random(SEED + number)
        codec, data = hostile(chance)
        good = b"".join(encode({"type": "heartbeat", "n": n, "ack": 0}, codec) for n in (1, 2))
        try:
            received = receive_all(good + data, codec)
        except ProtocolError:
            continue
        except Exception as error:
            pytest.fail(f"SEED={SEED + number} FUZZ_ROUNDS=1: {error!r}")
        assert [message["n"] for message in received] == list(range(1, len(received) + 1))


@pytest.mark.parametrize("number", [None, 0, -1, 1.5, "1", True, [1], float("inf"), float("nan")])
def test_a_frame_without_a_whole_number_from_1_on_is_a_protocol_error(number: object) -> None:
    body = msgpack.packb({"type": "heartbeat", "n": number, "ack": 0})
    with pytest.raises(ProtocolError, match="without a number"):
        receive_all(framed(body), "msgpack")


def test_a_number_beyond_32_bits_may_be_a_float() -> None:
    # JavaScript's msgpack writes it so; this one is a hole and no fault of form.
    with pytest.raises(ProtocolError, match="frames are missing"):
        receive_all(framed(msgpack.packb({"type": "heartbeat", "n": float(2**33), "ack": 0})), "msgpack")


def test_a_length_takes_no_memory_ahead_of_its_bytes() -> None:
    read, write = os.pipe()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    os.write(write, HEADER.pack(64 * 1024 * 1024) + b"x")
    os.close(write)
    with pytest.raises(ProtocolError, match="inside a frame"):
        FrameReader(read).read()
    os.close(read)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16 * 1024
