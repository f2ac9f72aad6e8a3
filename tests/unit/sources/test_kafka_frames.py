"""Frames of a connection: the same bytes as a stream reader's, however the network cuts them, with TLS and without."""

from __future__ import annotations

import asyncio
import io
import ssl
import struct
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import conn
from hypothesis import given
from hypothesis import strategies as st

from mm_monitor.sources.kafka_frames import Frames, View, _adopt, difference

FRAMES = [b"a", b"", b"xy" * 40_000, b"z" * 65_532, b"q" * 300_000, b"end"]


def stream(frames: list[bytes]) -> bytes:
    return b"".join(struct.pack(">i", len(frame)) + frame for frame in frames)


class Protocol:
    """As much of aiokafka's as a transport talks to."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self.reader = reader

    def eof_received(self) -> bool:
        self.reader.feed_eof()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is None:
            self.reader.feed_eof()
        else:
            self.reader.set_exception(exc)


async def read(reader: asyncio.StreamReader, frames: int) -> list[bytes]:
    """As aiokafka's task does, whose first call waits already when the reader is taken over."""
    read_exactly, got = reader.readexactly, []
    for _ in range(frames):
        (size,) = struct.unpack(">i", await read_exactly(4))
        read_exactly = reader.readexactly
        got.append(bytes(await read_exactly(size)))
    return got


some_frames = st.lists(st.sampled_from(FRAMES), min_size=1, max_size=5)


@given(st.lists(st.integers(1, 90_000), max_size=30), some_frames)
def test_any_cut_gives_the_same_frames(cuts: list[int], frames: list[bytes]) -> None:
    async def run() -> list[bytes]:
        reader = asyncio.StreamReader()
        reading = asyncio.create_task(read(reader, len(frames)))
        await asyncio.sleep(0)
        taken, data = Frames(Protocol(reader), reader), memoryview(stream(frames))
        while data:
            room = taken.get_buffer(-1)
            some = data[: min(len(room), cuts.pop() if cuts else len(data))]
            room[: len(some)] = some
            taken.buffer_updated(len(some))
            data = data[len(some) :]
            await asyncio.sleep(0)
        return await asyncio.wait_for(reading, 5)

    assert asyncio.run(run()) == frames


async def test_an_end_wakes_who_waits() -> None:
    for lost in (None, ConnectionResetError("gone")):
        reader = asyncio.StreamReader()
        frames = Frames(Protocol(reader), reader)
        frames._first = False
        waiting = asyncio.create_task(reader.readexactly(4))
        await asyncio.sleep(0)
        if lost is None:
            assert frames.eof_received()
        frames.connection_lost(lost)
        with pytest.raises(asyncio.IncompleteReadError if lost is None else ConnectionResetError):
            await asyncio.wait_for(waiting, 5)


async def test_a_frame_of_less_than_nothing() -> None:
    reader = asyncio.StreamReader()
    frames = Frames(Protocol(reader), reader)
    frames.get_buffer(-1)[:4] = struct.pack(">i", -5)
    with pytest.raises(ValueError, match="-5 bytes"):
        frames.buffer_updated(4)


def test_a_view_reads_as_bytes_do() -> None:
    data = bytes(range(256)) * 40
    for source in (data, memoryview(data)):
        one, other = View(source), io.BytesIO(data)
        for size in (4, 0, 4096, 5000, 10, 9999, 3):
            assert one.read(size) == other.read(size)
        assert isinstance(View(source).read(4096), bytes)
        assert isinstance(View(source).read(), memoryview)


def test_the_installed_connection_is_as_we_know_it() -> None:
    assert difference() == ""

    class Other(conn.AIOKafkaConnection):  # type: ignore[misc]
        def _handle_frame(self, resp, more):  # type: ignore[no-untyped-def]
            return None

    class Reads(conn.AIOKafkaConnection):  # type: ignore[misc]
        @staticmethod
        async def _read(ref):  # type: ignore[no-untyped-def]
            return None

    assert "takes (self, resp, more)" in difference(SimpleNamespace(AIOKafkaConnection=Other))
    assert "does not use _reader" in difference(SimpleNamespace(AIOKafkaConnection=Reads))
    nothing = SimpleNamespace(AIOKafkaConnection=object)
    assert "no _handle_frame" in difference(nothing)


# A connection of aiokafka's own -----------------------------------------------------------------


@asynccontextmanager
async def connected(tls: tuple[Path, Path] | None) -> AsyncIterator[tuple[Any, Any]]:
    """An aiokafka connection that has asked for nothing yet, and the server's writer."""
    writers: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()
    server_tls = client_tls = None
    if tls:
        server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server_tls.load_cert_chain(*tls)
        client_tls = ssl.create_default_context(cafile=str(tls[0]))
    server = await asyncio.start_server(lambda _, w: writers.put(w), "127.0.0.1", 0, ssl=server_tls)
    host, port = server.sockets[0].getsockname()
    made = conn.AIOKafkaConnection(host, port, ssl_context=client_tls,
                                   security_protocol="SSL" if tls else "PLAINTEXT")  # fmt: skip
    made._do_version_lookup = lambda: asyncio.sleep(0)
    await made.connect()
    try:
        yield made, await writers.get()
    finally:
        await made.close()
        server.close()


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
async def test_a_connection_of_aiokafka(secure: bool, tmp_path: Path) -> None:
    tls = certificate(tmp_path) if secure else None
    async with connected(tls) as (connection, writer):
        await asyncio.sleep(0.01)
        _adopt(connection)
        for frame in FRAMES[2:]:
            answer = asyncio.get_running_loop().create_future()
            connection._requests.append((None, None, answer))
            writer.write(stream([frame]))
            assert await asyncio.wait_for(answer, 5) == frame
        assert connection.connected()
        answer = asyncio.get_running_loop().create_future()
        connection._requests.append((None, None, answer))
        writer.close()
        with pytest.raises(conn.Errors.KafkaConnectionError):
            await asyncio.wait_for(answer, 5)
        assert not connection.connected()


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
async def test_a_long_frame_in_small_packets(secure: bool, tmp_path: Path) -> None:
    """Without TLS it wakes us for half a megabyte or for its end, whatever is sent at once; the next one as ever."""
    async with connected(certificate(tmp_path) if secure else None) as (connection, writer):
        await asyncio.sleep(0.01)
        _adopt(connection)
        frames, wakes = connection._writer.transport.get_protocol(), 0
        updated = frames.buffer_updated

        def counted(nbytes: int) -> None:
            nonlocal wakes
            wakes += 1
            updated(nbytes)

        frames.buffer_updated = counted
        # asyncio holds on to the protocol's own methods; setting it again makes it look anew.
        connection._writer.transport.set_protocol(frames)
        for frame in (b"q" * (1 << 21), b"end"):
            answer = asyncio.get_running_loop().create_future()
            connection._requests.append((None, None, answer))
            data = stream([frame])
            for at in range(0, len(data), 16_384):
                writer.write(data[at : at + 16_384])
                await writer.drain()
                await asyncio.sleep(0.001)
            assert await asyncio.wait_for(answer, 5) == frame
        assert secure or wakes < 20


async def test_a_connection_that_is_busy_is_let_be() -> None:
    async with connected(None) as (connection, _):
        connection._requests.append((None, None, asyncio.get_running_loop().create_future()))
        _adopt(connection)
        assert "_handle_frame" not in vars(connection)
        connection._requests.clear()
        _adopt(connection)
        assert "_handle_frame" in vars(connection)


def certificate(directory: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key."""
    key, made = directory / "key.pem", directory / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj",
         "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", made],
        check=True, capture_output=True,
    )  # fmt: skip
    return made, key
