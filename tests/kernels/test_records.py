"""The kernel of record batches: as its plain twin on any bytes, as aiokafka on what a broker sends."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from aiokafka.consumer.fetcher import READ_COMMITTED, READ_UNCOMMITTED, PartitionRecords
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from mm_monitor import kernels
from mm_monitor.kernels import _records
from mm_monitor.kernels import reference_records as plain
from mm_monitor.kernels.reference_records import BATCH, BEFORE_LENGTH, HEADER, TRANSACTIONAL, Status
from tests.kernels.batches import (
    ABORT,
    COMMIT,
    Reading,
    Record,
    appended,
    batch,
    mark,
    old,
    ranges,
    resealed,
)

MODULES = pytest.mark.parametrize("module", [kernels, plain], ids=["kernel", "twin"])
some_bytes = st.one_of(st.none(), st.binary(max_size=70), st.just(b"v" * 200))
record = st.builds(
    Record,
    value=some_bytes,
    key=some_bytes,
    stamp=st.one_of(st.integers(0, 2**41), st.sampled_from([0, 2**62])),
    headers=st.lists(st.tuples(st.text(max_size=3), some_bytes), max_size=2).map(tuple),
)


@st.composite
def logs(draw: st.DrawFn) -> tuple[bytes, list[tuple[int, int]], int]:
    """What a broker could send: bytes, what was taken back, and a fetch offset."""
    pieces, aborted, offset = [], [], draw(st.integers(0, 3))
    first, within = offset, 0  # a broker begins with the batch that holds the fetch offset
    open_since: dict[int, int] = {}
    for _ in range(draw(st.integers(0, 6))):
        producer = draw(st.sampled_from([-1, 7, 8]))
        kind = draw(st.sampled_from(["plain", "plain", "gaps", "transaction", "end", "stamped"]))
        if kind == "end" and producer in open_since:
            outcome = draw(st.sampled_from([ABORT, COMMIT]))
            if outcome == ABORT:
                aborted.append((producer, open_since[producer]))
            del open_since[producer]
            pieces.append(mark(outcome, producer, offset))
            offset += 1
            continue
        records = draw(st.lists(record, min_size=1, max_size=4))
        deltas = list(range(len(records)))
        if kind == "gaps":
            deltas = sorted(draw(st.sets(st.integers(0, 9), min_size=len(records), max_size=len(records))))  # fmt: skip
        last = deltas[-1] + (draw(st.integers(0, 3)) if kind == "gaps" else 0)
        bits = TRANSACTIONAL if kind == "transaction" and producer >= 0 else 0
        if bits:
            open_since.setdefault(producer, offset)
        data = batch(records, offset, producer=producer, deltas=deltas, attributes=bits, last_delta=last)  # fmt: skip
        pieces.append(appended(data, 99) if kind == "stamped" else data)
        within = last if len(pieces) == 1 else within
        offset += last + 1
    return b"".join(pieces), aborted, draw(st.integers(first, first + within))


def by_aiokafka(data: bytes, aborted: list[tuple[int, int]], fetch_offset: int, level: int) -> Any:
    tp = TopicPartition("t", 0)
    records = PartitionRecords(tp, MemoryRecords(data), aborted, fetch_offset, None, None, True, level)  # fmt: skip
    got = [(r.offset, r.timestamp, r.value) for r in records]
    return got, records.next_fetch_offset


@pytest.mark.criterion("L6")
@given(logs(), st.booleans(), st.integers(1, 3), st.integers(0, 200))
def test_what_a_broker_sends_reads_as_aiokafka_reads_it(
    log: tuple[bytes, list[tuple[int, int]], int], committed: bool, room: int, cut: int
) -> None:
    data, aborted, fetch_offset = log
    aborted = aborted if committed else []
    level = READ_COMMITTED if committed else READ_UNCOMMITTED
    data = data[: len(data) - cut] if cut < len(data) // 3 else data
    got = Reading(kernels, data, fetch_offset, aborted, room)
    assert got.image() == Reading(plain, data, fetch_offset, aborted, room).image()
    assert got.status == Status.END
    wanted, next_offset = by_aiokafka(data, aborted, fetch_offset, level)
    assert list(zip(got.offsets, got.stamps, got.values(data), strict=True)) == wanted
    assert got.cursor[1] == next_offset


@pytest.mark.criterion("L6")
@given(logs(), st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=3),
       st.integers(0, 60), st.booleans())  # fmt: skip
def test_damaged_bytes_read_as_by_the_twin(
    log: tuple[bytes, list[tuple[int, int]], int],
    damage: list[tuple[int, int]],
    cut: int,
    seal: bool,
) -> None:
    data = bytearray(log[0][: len(log[0]) - cut])
    for at, byte in damage:
        if data:
            data[at % len(data)] = byte
    sealed = resealed(data) if seal and len(data) >= 61 else bytes(data)
    one, other = (Reading(m, sealed, log[2], log[1]).image() for m in (kernels, plain))
    assert one == other


def number(value: int, padding: int = 0) -> bytes:
    """A zigzag varint, which may be longer than it need be."""
    left = (value << 1) ^ (value >> 63)
    out = bytearray()
    while left > 127 or padding > 0:
        padding -= left < 128
        out.append(left & 127 | 128)
        left >>= 7
    return bytes([*out, left])


@st.composite
def odd_records(draw: st.DrawFn) -> bytes:
    """A record as no client writes it: any length or none of key and value, numbers longer than they need be."""
    sizes = st.one_of(st.integers(-3, 4), st.sampled_from([63, 64, 8191, 8192, 8193]))
    padding = st.sampled_from([0, 0, 0, 1, 2])
    key, value = draw(sizes), draw(sizes)
    body = draw(st.binary(min_size=1, max_size=1))
    body += number(draw(st.sampled_from([0, -1, 63, 64, 8191, 8192, 2**62])), draw(padding))
    body += number(draw(st.sampled_from([0, 1, 2, 9, 10, -1])), draw(padding))
    for size in (key, value):
        filler = draw(st.sampled_from([b"\0", b"\1", b"\2"]))
        body += number(size, draw(padding)) + filler * max(size, 0)
    body += number(draw(st.sampled_from([0, 0, 0, 1, -1])), draw(padding))
    return number(len(body) + draw(st.sampled_from([0, 0, 0, 0, 1, -1])), draw(padding)) + body


NO_HEADERS = number(0)
MISREAD = {  # what a reader of short numbers could take for another record
    "a key of three bytes fewer than none": number(-3) + number(12) + number(10) * 12 + NO_HEADERS,
}


@pytest.mark.criterion("L6")
@given(st.lists(odd_records(), min_size=1, max_size=4), st.booleans())
def test_odd_records_read_as_by_the_twin(records: list[bytes], unsaid: bool) -> None:
    one, other = (Reading(m, sealed(records, unsaid)).image() for m in (kernels, plain))
    assert one == other


@pytest.mark.parametrize("rest", MISREAD.values(), ids=MISREAD)
def test_a_record_that_could_be_misread(rest: bytes) -> None:
    body = bytes(1) + number(0) * 2 + rest
    data = sealed([number(len(body)) + body], False)
    got, other = (Reading(m, data) for m in (kernels, plain))
    assert got.image() == other.image()
    assert len(got.offsets) == 1


def sealed(records: list[bytes], unsaid: bool) -> bytes:
    """A batch of these records, of which the header may not count the last."""
    fields = list(HEADER.unpack_from(batch([Record(b"v")])))
    fields[1] = HEADER.size - BEFORE_LENGTH + sum(map(len, records))
    fields[6], fields[-1] = 9, len(records) - unsaid
    return resealed(HEADER.pack(*fields) + b"".join(records))


def real() -> bytes:
    """One of everything."""
    records = [
        Record(b"v" * 48),
        Record(None, b"k"),
        Record(b"x", None, 5, (("h", None), ("i", b"j"))),
    ]
    parts = [
        batch(records, 10),
        batch([Record(b"gone")], 13, producer=7, attributes=TRANSACTIONAL),
        mark(ABORT, 7, 14),
        batch([Record(b"a" * 70), Record(b"")], 15, deltas=[0, 300]),
    ]
    return b"".join(parts)


@pytest.mark.parametrize("seal", [False, True], ids=["as it came", "checksum put right"])
def test_every_flipped_bit(seal: bool) -> None:
    data = real()
    first = batch([Record(b"v" * 48), Record(None, b"k", headers=(("h", b"i"),))], 10)
    for bit in range(8 * len(first)):
        flipped = bytearray(first)
        flipped[bit // 8] ^= 1 << bit % 8
        bytes_ = (resealed(flipped) if seal else bytes(flipped)) + data
        one, other = (Reading(m, bytes_, 0, [(7, 13)]).image() for m in (kernels, plain))
        assert one == other, bit


def test_every_truncation() -> None:
    data = real()
    whole = Reading(kernels, data, 0, [(7, 13)])
    assert whole.offsets == [10, 11, 12, 15, 315]
    for length in range(len(data)):
        exact = np.frombuffer(data, np.uint8)[
            :length
        ].copy()  # its last byte is the last of its memory
        got = Reading(kernels, exact, 0, [(7, 13)])
        assert got.status == Status.END
        assert got.offsets == whole.offsets[: len(got.offsets)]
        assert got.image() == Reading(plain, data[:length], 0, [(7, 13)]).image()


def test_every_truncation_of_the_records_of_a_batch() -> None:
    data = real()
    rows = np.zeros(4, BATCH)
    cursor = np.zeros(4, np.int64)
    kernels.find_batches(data, cursor, ranges([]), np.zeros(0, np.int64), 1 << 20, rows)
    for length in range(int(rows[0]["stop"])):
        exact = np.frombuffer(data, np.uint8)[:length].copy()
        cut = rows[:1].copy()
        cut["stop"] = length
        cut["start"] = min(int(cut["start"][0]), length)
        columns = np.zeros((4, 3), np.int64)
        assert kernels.read_records(exact, cut, 0, *columns) == (0, 0)
        assert plain.read_records(exact, cut, 0, *columns) == (0, 0)


@MODULES
def test_what_is_wrong_is_told(module: ModuleType) -> None:
    good = batch([Record(b"v")])
    cases = [
        (old([b"v"]), Status.OLD),
        (good[:8] + bytes([0, 0, 0, 3]) + good[12:15], Status.BAD_LENGTH),
        (good[:8] + bytes([0xFF] * 4) + good[12:], Status.BAD_LENGTH),
        (good[:11] + bytes([20]) + good[12:], Status.BAD_LENGTH),
        (good[:16] + b"\x03" + good[17:], Status.BAD_HEADER),
        (good[:-1] + b"\x02", Status.BAD_CRC),
        (resealed(good[:57] + bytes([0x7F] * 4) + good[61:]), Status.BAD_HEADER),
        (b"\x80" + good[1:], Status.BAD_HEADER),
    ]
    for data, status in cases:
        got = Reading(module, good + data)
        assert (got.status, got.offsets, got.cursor[0]) == (status, [0], len(good))
    torn = batch([Record(b"gone")], 0, producer=7, attributes=TRANSACTIONAL)
    end = bytearray(mark(ABORT, 7, 1))
    end[65] = 0  # a key of no bytes
    assert Reading(module, torn + resealed(end), 0, [(7, 0)]).status == Status.BAD_CONTROL
    assert Reading(module, torn + resealed(end), 0, []).status == Status.END


@MODULES
def test_a_transaction_that_was_taken_back_is_not_read(module: ModuleType) -> None:
    def of(producer: int, base: int) -> bytes:
        return batch([Record(b"v")], base, producer=producer, attributes=TRANSACTIONAL)

    data = b"".join([of(7, 0), of(8, 1), mark(ABORT, 7, 2), of(7, 3), mark(COMMIT, 7, 4),
                     mark(ABORT, 8, 5), batch([], 6, producer=8), of(8, 7)])  # fmt: skip
    got = Reading(module, data, 0, [(7, 0), (8, 1)])
    assert (got.offsets, got.active, got.cursor.tolist()) == ([3, 7], [], [len(data), 8, 2, 0])
    assert Reading(module, data).offsets == [0, 1, 3, 7]


@MODULES
def test_a_step_is_bounded(module: ModuleType) -> None:
    data = b"".join(batch([Record(b"v" * 100)], base) for base in range(10))
    rows, cursor = np.zeros(10, BATCH), np.zeros(4, np.int64)
    nothing = (ranges([]), np.zeros(0, np.int64))
    assert module.find_batches(data, cursor, *nothing, 200, rows) == (2, Status.FULL)
    assert module.find_batches(data, cursor, *nothing, 10**6, rows[:3]) == (3, Status.FULL)
    assert module.find_batches(data, cursor, *nothing, 10**6, rows) == (5, Status.END)
    assert cursor.tolist() == [len(data), 10, 0, 0]


@given(st.binary(max_size=100), st.integers(0, 60_000))
def test_checksums_agree(data: bytes, padding: int) -> None:
    long = data + bytes(padding) + data
    wanted = plain.crc32c(data)
    assert kernels.crc32c(data) == kernels.crc32c(data, hardware=False) == wanted
    assert kernels.crc32c(long) == kernels.crc32c(long, hardware=False)


def test_the_checksum_is_the_published_one() -> None:
    assert kernels.crc32c(b"123456789") == plain.crc32c(b"123456789") == 0xE3069283
    for length in (767, 768, 24_575, 24_576, 50_000):
        data = bytes(i * 31 % 251 for i in range(length))
        assert kernels.crc32c(data) == kernels.crc32c(data, hardware=False) == plain.crc32c(data)


def test_a_batch_has_the_layout_of_its_dtype() -> None:
    data = bytes((7 * i + 3) % 251 for i in range(56))
    size, fields = _records.as_structs(data)["batch"]
    row = np.frombuffer(data, BATCH)[0]
    assert size == BATCH.itemsize
    assert {key: row[key].item() for key in BATCH.names or ()} == fields


def ints(n: int) -> Any:
    return np.zeros(n, np.int64)


def one(**fields: int) -> Any:
    row = np.zeros(1, BATCH)
    for name, value in fields.items():
        row[name] = value
    return row


@pytest.mark.parametrize(
    ("message", "change"),
    [
        ("cursor: 4 elements", {"cursor": ints(3)}),
        ("2 columns", {"aborted": np.zeros((0, 3), np.int64)}),
        ("active: 0 elements", {"active": ints(1)}),
        ("byte 0 to 4", {"cursor": np.array([5, 0, 0, 0])}),
        ("byte 0 to 4", {"cursor": np.array([-1, 0, 0, 0])}),
        ("transactions", {"cursor": np.array([0, 0, 1, 0])}),
        ("transactions", {"cursor": np.array([0, 0, 0, -1])}),
    ],
)
def test_a_cursor_that_stands_nowhere(message: str, change: dict[str, Any]) -> None:
    call: dict[str, Any] = {
        "data": b"1234", "cursor": ints(4), "aborted": np.zeros((0, 2), np.int64), "active": ints(0),
        "most": 100, "batches": np.zeros(1, BATCH),
    }  # fmt: skip
    with pytest.raises(ValueError, match=message):
        kernels.find_batches(**{**call, **change})


@pytest.mark.parametrize(
    ("message", "change"),
    [
        ("bytes 0 to 5 of 4", {"batches": one(stop=5)}),
        ("bytes 3 to 2 of 4", {"batches": one(start=3, stop=2)}),
        ("bytes -1 to 2 of 4", {"batches": one(start=-1, stop=2)}),
        ("negative", {"batches": one(count=-1)}),
        ("negative", {"batches": one(base=-1)}),
        ("negative", {"batches": one(last_delta=-1)}),
        ("no offset", {"batches": one(base=2**63 - 1)}),
        ("starts: 2 elements", {"batches": one(count=2)}),
        ("as many as starts", {"stamps": ints(0)}),
    ],
)
def test_batches_that_point_nowhere(message: str, change: dict[str, Any]) -> None:
    call: dict[str, Any] = {
        "data": b"1234", "batches": one(), "next_offset": 0, "starts": ints(1), "lengths": ints(1),
        "offsets": ints(1), "stamps": ints(1),
    }  # fmt: skip
    with pytest.raises(ValueError, match=message):
        kernels.read_records(**{**call, **change})
