"""A long answer in pieces, between which the event loop does what else there is.

Packing costs as much as making the text: each piece is packed by another thread while the next one is made.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterable

LEVEL = 1  # labels repeat themselves: harder work halves what is left and takes three times as long
_GZIP = 16 + zlib.MAX_WBITS  # zlib's word for a gzip header and trailer


async def one_by_one(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    """The chunks as they are, without those that are empty."""
    for chunk in chunks:
        if chunk:
            yield chunk
        await asyncio.sleep(0)


async def packed(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    """The same as one gzip stream."""
    loop, packer = asyncio.get_running_loop(), zlib.compressobj(LEVEL, zlib.DEFLATED, _GZIP)
    packing: asyncio.Future[bytes] | None = None
    async for chunk in one_by_one(chunks):
        if packing is not None and (piece := await packing):
            yield piece
        packing = loop.run_in_executor(None, packer.compress, chunk)
    if packing is not None:
        yield await packing
    yield packer.flush()
