"""Bytes of a broker to columns: compression, damage, older formats, bounds. Only DecodeError may escape."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any

import cramjam
import numpy as np
import pytest
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from mm_monitor.errors import DecodeError
from mm_monitor.kernels.reference_records import TRANSACTIONAL
from mm_monitor.sources import kafka_batches
from mm_monitor.sources.kafka_batches import BatchReader, Fetched, of_records
from mm_monitor.sources.kafka_inflate import inflate
from tests.kernels.batches import ABORT, Record, batch, mark, old, resealed

CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
COMPRESSED = [code for code in CODECS.values() if code]
RECORDS = [
    Record(b"v" * 48),
    Record(None, b"k"),
    Record(b"x", None, 5, (("h", None),)),
    Record(b""),
]


def read(data: bytes, offset: int = 0, aborted: list[tuple[int, int]] | None = None) -> Any:
    reader = BatchReader(data, offset, aborted or [])
    pieces: list[Fetched] = []
    while (piece := reader.read()) is not None:
        pieces.append(piece)
    return [row for piece in pieces for row in rows(piece)], reader


def read_on(reader: BatchReader, offsets: list[int]) -> None:
    while (piece := reader.read()) is not None:
        offsets += piece.offsets.tolist()


def rows(piece: Fetched) -> Iterator[tuple[int, int, bytes | None]]:
    values = piece.values("t", 0, 1)
    for i, value in enumerate(values):
        null = piece.lengths[i] < 0
        yield int(piece.offsets[i]), int(piece.stamps[i]), None if null else value.value


def by_aiokafka(data: bytes, offset: int = 0, aborted: Any = ()) -> Any:
    tp = TopicPartition("t", 0)
    args = (tp, MemoryRecords(data), list(aborted), offset, None, None, True, READ_COMMITTED)
    return [(r.offset, r.timestamp, r.value) for r in PartitionRecords(*args)]


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_every_compression_reads_as_aiokafka_reads_it(codec: int) -> None:
    data = (
        batch(RECORDS, 7, codec=codec) + batch(RECORDS, 11) + batch(RECORDS * 50, 20, codec=codec)
    )
    got, reader = read(data, 8)
    assert got == by_aiokafka(data, 8)
    assert (len(got), reader.next_offset) == (3 + 4 + 200, 220)


def test_pieces_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_batches, "PIECE", 1000)
    data = b"".join(batch(RECORDS, 4 * i, codec=i % 5) for i in range(40))
    reader = BatchReader(data, 0)
    sizes, last = [], 0
    while (piece := reader.read()) is not None:
        sizes.append(len(piece))
        assert piece.offsets[0] == last
        last = reader.next_offset
        assert piece.offsets[-1] == last - 1
    assert sum(sizes) == 160
    assert max(sizes) <= 64


def test_what_was_taken_back_is_not_unpacked() -> None:
    torn = bytearray(batch([Record(b"gone" * 9)], 0, codec=4, producer=7, attributes=TRANSACTIONAL))
    torn[61:] = bytes(len(torn) - 61)
    data = resealed(torn) + mark(ABORT, 7, 1)
    got, reader = read(data, 0, [(7, 0)])
    assert (got, reader.next_offset) == ([], 2)
    with pytest.raises(DecodeError, match="no zstd"):
        read(data)


def test_what_is_before_the_damage_is_handed_out() -> None:
    for codec in CODECS.values():
        bad = bytearray(batch(RECORDS, 8, codec=codec))
        bad[62:] = bytes(len(bad) - 62)
        reader = BatchReader(batch(RECORDS, 0) + batch(RECORDS, 4, codec=codec) + resealed(bad), 0)
        offsets: list[int] = []
        with pytest.raises(DecodeError):
            read_on(reader, offsets)
        assert (offsets, reader.next_offset) == (list(range(8)), 8)


def test_an_older_format_is_left_to_others() -> None:
    open_ = batch([Record(b"gone")], 0, producer=7, attributes=TRANSACTIONAL)
    data = open_ + old([b"a", b"b"])
    got, reader = read(data, 0, [(7, 0), (8, 5)])
    assert (got, reader.old, reader.next_offset) == ([], True, 1)
    assert reader.rest == data[len(open_) :]
    assert reader.still_aborted == [(7, 0), (8, 5)]
    assert not BatchReader(open_, 0).old


def test_records_of_a_client_as_columns() -> None:
    tp = TopicPartition("t", 0)
    data = batch(RECORDS, 3)
    made = list(PartitionRecords(tp, MemoryRecords(data), [], 3, None, None, True, READ_COMMITTED))
    piece = of_records(made)
    assert list(rows(piece)) == read(data, 3)[0]
    assert piece.keys == [None, b"k", None, None]
    assert list(rows(piece.some(slice(1, 3)))) == list(rows(piece))[1:3]


# Compression ---------------------------------------------------------------------------------------

TEXT = b"market makers " * 3000
PACKED = {
    "gzip": (1, gzip.compress(TEXT[:40]) + gzip.compress(TEXT[40:]) + b"\0\0"),
    "snappy": (2, bytes(cramjam.snappy.compress_raw(TEXT))),
    "snappy of a Java client": (2, b"\x82SNAPPY\0" + b"\0\0\0\1" * 2 + b"".join(
        len(block).to_bytes(4, "big") + block
        for block in (bytes(cramjam.snappy.compress_raw(t)) for t in (TEXT[:99], TEXT[99:])))),
    "lz4": (3, bytes(cramjam.lz4.compress(TEXT))),
    "zstd": (4, bytes(cramjam.zstd.compress(TEXT))),
}  # fmt: skip


@pytest.mark.parametrize(("codec", "data"), PACKED.values(), ids=PACKED)
def test_what_was_packed_is_unpacked_within_a_bound(codec: int, data: bytes) -> None:
    view = memoryview(data)
    assert bytes(inflate(codec, view)) == TEXT
    assert bytes(inflate(codec, view, len(TEXT))) == TEXT
    with pytest.raises(DecodeError, match=f"of at most {len(TEXT) - 1} bytes"):
        inflate(codec, view, len(TEXT) - 1)


@pytest.mark.parametrize(("codec", "data"), PACKED.values(), ids=PACKED)
def test_a_packed_stream_that_is_cut_off(codec: int, data: bytes) -> None:
    for length in range(0, len(data) - 2, 1 + len(data) // 60):
        try:
            got = inflate(codec, memoryview(data[:length]))
        except DecodeError:
            continue
        assert bytes(got) == TEXT[: len(got)]  # a stream of blocks may end behind any of them


@pytest.mark.parametrize("codec", [0, 5, 6, 7])
def test_a_compression_that_nobody_knows(codec: int) -> None:
    with pytest.raises(DecodeError, match="1 to 4 wanted"):
        inflate(codec, memoryview(b""))


damage = st.lists(st.tuples(st.integers(0, 9999), st.integers(0, 255)), max_size=5)


@given(st.sampled_from(list(PACKED.values())), damage)
def test_damaged_streams(packed: tuple[int, bytes], damage: list[tuple[int, int]]) -> None:
    data = bytearray(packed[1])
    for at, byte in damage:
        data[at % len(data)] = byte
    only_decode_error(lambda: inflate(packed[0], memoryview(bytes(data)), 1 << 20))


# Damage --------------------------------------------------------------------------------------------


def only_decode_error(work: Any) -> Any:
    try:
        return work()
    except DecodeError:
        return None


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_every_flipped_bit_of_a_batch(codec: int) -> None:
    whole = batch([Record(b"v" * 48), Record(None, b"k", headers=(("h", b"i"),))], 3, codec=codec)
    wanted = read(whole, 3)[0]
    step = 1 if codec == 0 else 3
    for bit in range(0, 8 * len(whole), step):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        got = only_decode_error(lambda data=bytes(flipped): read(data, 3)[0])
        # Beside the checksum: base offset, length, leader epoch, magic.
        assert got is None or got == wanted or bit < 8 * 17
        sealed = resealed(flipped)
        only_decode_error(lambda data=sealed: read(data, 3))


@given(damage, st.integers(0, 300), st.sampled_from(list(CODECS.values())))
def test_random_damage(damage: list[tuple[int, int]], cut: int, codec: int) -> None:
    data = bytearray(batch(RECORDS, 0, codec=codec) + batch(RECORDS, 4, codec=codec))
    for at, byte in damage:
        data[at % len(data)] = byte
    only_decode_error(lambda: read(bytes(data[: len(data) - cut])))
    only_decode_error(lambda: read(resealed(data)))


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    only_decode_error(lambda: read(data))
    only_decode_error(lambda: read(data[:8] + b"\0\0\0\x40" + bytes(4) + b"\2" + data))


def test_a_count_that_its_bytes_cannot_hold_makes_no_room() -> None:
    data = bytearray(batch(RECORDS, 0, codec=4))
    data[23:27] = data[57:61] = (2**31 - 1).to_bytes(4, "big")
    with pytest.raises(DecodeError, match="2147483647 records in"):
        read(resealed(data))


def test_columns_are_of_their_types() -> None:
    piece = BatchReader(batch(RECORDS, 0), 0).read()
    assert piece is not None
    columns = (piece.starts, piece.lengths, piece.offsets, piece.stamps)
    assert {column.dtype for column in columns} == {np.dtype(np.int64)}
    assert 49 < piece.size < 100
