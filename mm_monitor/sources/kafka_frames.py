"""Receives the answers of brokers into memory that is made for each, and hands them on without a copy.

A stream reader moves every byte three times before a fetch response is read: into its buffer, out of it,
and out of the response. Here the socket writes into the frame, and what is large in a fetch response is
a view of it. While a long frame comes in, the socket wakes us for much of it at once, not for every packet. Like
`kafka_raw` this leans on aiokafka's inside, and lets a connection be that is busy.
"""

from __future__ import annotations

import asyncio
import inspect
import socket
import struct
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import FunctionType, SimpleNamespace
from typing import Any

import numpy as np
from aiokafka import conn as stock

_AHEAD = 1 << 16  # bytes that are read at once while we do not know what comes
_AT_ONCE = 1 << 19  # bytes of a long frame that we want to be woken for
_COPIED = 1 << 12  # bytes: what is smaller comes as bytes, names and numbers among it
_FETCH = 1  # key of the fetch API
_SIZE = struct.Struct(">i")
Frame = bytes | memoryview


def difference(module: Any = stock) -> str:
    """What of aiokafka's connections is not as we know it; "" if all is."""
    connection = module.AIOKafkaConnection
    handle, read = (getattr(connection, name, None) for name in ("_handle_frame", "_read"))
    if not inspect.isfunction(handle) or not inspect.iscoroutinefunction(read):
        return "AIOKafkaConnection has no _handle_frame or no _read"
    if str(inspect.signature(handle)) != "(self, resp)" or handle.__closure__:
        return (
            f"AIOKafkaConnection._handle_frame takes {inspect.signature(handle)}, not (self, resp)"
        )
    used = (handle.__code__.co_names, read.__code__.co_names)
    wanted = (("_requests", "io", "BytesIO"), ("_reader", "readexactly", "_handle_frame"))
    missing = [n for names, some in zip(used, wanted, strict=True) for n in some if n not in names]
    return f"AIOKafkaConnection does not use {', '.join(missing)}" if missing else ""


def receive_in_place(client: Any) -> None:
    """Whatever connection this client uses from now on."""
    get: Callable[..., Awaitable[Any]] = client._get_conn

    async def adopting(*args: Any, **kwargs: Any) -> Any:
        connection = await get(*args, **kwargs)
        if connection is not None and "_handle_frame" not in vars(connection):
            _adopt(connection)
        return connection

    client._get_conn = adopting


def _adopt(connection: Any) -> None:
    """Put ourselves between its socket and its reader, unless one of them is in the middle of something."""
    reader, writer = connection._reader, connection._writer
    waiting: Any = getattr(reader, "_buffer", b"?")
    busy = connection._requests or type(reader) is not asyncio.StreamReader or len(waiting)
    if busy or reader.at_eof() or writer.is_closing():
        return
    connection._handle_frame = _handler(connection)
    writer.transport.set_protocol(Frames(connection._protocol, reader, _wake_of(writer.transport)))


def _wake_of(transport: asyncio.BaseTransport) -> Callable[[int], None]:
    """Has its socket wake us for so many bytes and no fewer; nothing where TLS counts others, or the system can't."""
    sock = transport.get_extra_info("socket")
    if sock is None or transport.get_extra_info("ssl_object") or not hasattr(socket, "SO_RCVLOWAT"):
        return lambda size: None

    def wake_for(size: int) -> None:
        with suppress(OSError):  # then it wakes us for each packet, as ever
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)

    return wake_for


def _handler(connection: Any) -> Callable[[Frame], None]:
    """Its `_handle_frame`, with views for fetch responses; all else is given bytes, as ever."""
    handle = stock.AIOKafkaConnection._handle_frame
    names = {**handle.__globals__, "io": SimpleNamespace(BytesIO=View)}
    viewing = FunctionType(handle.__code__, names, handle.__name__, handle.__defaults__)

    def handle_frame(frame: Frame) -> None:
        request = connection._requests[0][1] if connection._requests else None
        if getattr(request, "API_KEY", None) == _FETCH:
            viewing(connection, frame)
        else:
            handle(connection, bytes(frame))

    return handle_frame


class View:
    """Stands for `io.BytesIO`: reads bytes where they are few, and a view of the frame where they are many."""

    def __init__(self, data: Frame) -> None:
        self._data = memoryview(data)
        self._at = 0

    def read(self, size: int = -1) -> Frame:
        """The next `size` bytes, or what is left."""
        stop = len(self._data) if size < 0 else self._at + size
        piece = self._data[self._at : stop]
        self._at += len(piece)
        return piece if len(piece) > _COPIED else piece.tobytes()


class Frames(asyncio.BufferedProtocol):
    """Stands between a transport and aiokafka's protocol: cuts the stream into frames, each in its own memory.

    `reader.readexactly` is ours from the next call on. The call that waits already is answered through the reader.
    """

    def __init__(
        self, protocol: Any, reader: asyncio.StreamReader,
        wake_for: Callable[[int], None] = lambda size: None,
    ) -> None:  # fmt: skip
        """`wake_for` is told how many bytes of a frame are worth waking us for."""
        self._protocol, self._reader, self._wake_for = protocol, reader, wake_for
        self._wanted = 1  # what it was told last
        self._stage = memoryview(bytearray(_AHEAD))
        self._staged = 0
        self._frame: memoryview | None = (
            None  # the one that is coming in, and how much of it has come
        )
        self._have = 0
        self._ready: deque[Frame] = deque()  # a size of four bytes, and what it is the size of
        self._first = True
        self._waiter: asyncio.Future[None] | None = None
        reader.readexactly = self.readexactly  # type: ignore[method-assign]

    async def readexactly(self, n: int) -> Any:
        """The next size or frame; as a stream reader's, for one who asks for both in turn."""
        while not self._ready:
            error = self._reader.exception()
            if error is not None:
                raise error
            if self._reader.at_eof():
                raise asyncio.IncompleteReadError(b"", n)
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._ready.popleft()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go."""
        if self._frame is not None:
            return self._frame[self._have :]
        return self._stage[self._staged :]

    def buffer_updated(self, nbytes: int) -> None:
        """So many came."""
        if self._frame is None:
            self._staged += nbytes
            self._cut()
        else:
            self._have += nbytes
            if self._have == len(self._frame):
                frame, self._frame = self._frame, None
                self._hand_over(frame)
        missing = 1 if self._frame is None else len(self._frame) - self._have
        if (wanted := min(missing, _AT_ONCE)) != self._wanted:
            self._wanted = wanted
            self._wake_for(wanted)

    def _cut(self) -> None:
        """Frames out of what was read ahead; the last may be only begun."""
        at, stage = 0, self._stage
        while self._staged - at >= _SIZE.size:
            (size,) = _SIZE.unpack_from(stage, at)
            if size < 0:
                raise ValueError(f"a broker sent a frame of {size} bytes")
            at += _SIZE.size
            body = stage[at : min(at + size, self._staged)]
            at += len(body)
            if len(body) == size:
                self._hand_over(bytes(body))
            else:
                self._frame, self._have = np.empty(size, np.uint8).data, len(body)
                self._frame[: len(body)] = body
        left = bytes(stage[at : self._staged])
        stage[: len(left)] = left
        self._staged = len(left)

    def _hand_over(self, frame: Frame) -> None:
        size = _SIZE.pack(len(frame))
        if self._first:
            self._first = False
            self._reader.feed_data(size)
            self._ready.append(frame)
        else:
            self._ready.extend((size, frame))
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # What a transport tells besides goes on to aiokafka's protocol.

    def eof_received(self) -> Any:
        """The broker will say no more."""
        keep_open = self._protocol.eof_received()
        self._wake()
        return keep_open

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._protocol.connection_lost(exc)
        self._wake()

    def pause_writing(self) -> None:
        """The broker is slow to take what we send."""
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """It has caught up."""
        self._protocol.resume_writing()
