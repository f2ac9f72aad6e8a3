"""What we count on inside aiokafka: it is there, and where it is not we say so and fall back."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer import fetcher
from aiokafka.structs import TopicPartition
from structlog.testing import capture_logs

from mm_monitor.errors import DecodeError, MonitorError
from mm_monitor.kernels.reference_records import TRANSACTIONAL
from mm_monitor.sources import kafka_batches, kafka_raw
from mm_monitor.sources.kafka_raw import difference, fetch_raw
from tests.kernels.batches import ABORT, Record, batch, mark, old


def another(**changes: Any) -> Any:
    """The module `fetcher` with some classes replaced."""
    return SimpleNamespace(**{**vars(fetcher), **changes})


def test_the_installed_aiokafka_is_as_we_know_it() -> None:
    assert difference() == ""


def test_what_differs_is_named() -> None:
    class Pieces(fetcher.PartitionRecords):  # type: ignore[misc]
        def __init__(self, tp: Any, records: Any) -> None: ...

    class Results(fetcher.FetchResult):  # type: ignore[misc]
        def getall(self, max_records=None):  # type: ignore[no-untyped-def]
            return []

    without = another()
    del without.FetchResult
    assert difference(without) == "there is no FetchResult.__init__"
    assert "PartitionRecords.__init__ takes (self, tp" in difference(
        another(PartitionRecords=Pieces)
    )
    lacking = "FetchResult.getall is another (_partition_records, "
    assert lacking in difference(another(FetchResult=Results))


def test_another_aiokafka_is_left_alone_and_loudly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_raw, "difference", lambda: "there is no x")
    with capture_logs() as logs:
        assert not fetch_raw(None, "auto")
    assert [(line["event"], line["log_level"]) for line in logs] == [("raw_fetch_unavailable", "warning")]  # fmt: skip
    assert "there is no x" in logs[0]["because"]
    with pytest.raises(MonitorError, match=r"kafka\.fetch: raw: aiokafka .*there is no x"):
        fetch_raw(None, "raw")
    assert not fetch_raw(None, "getmany")


def result(data: bytes, fetch_offset: int, aborted: Any = ()) -> tuple[Any, Any]:
    """What aiokafka keeps of a response, made as its fetcher makes it from now on; and its position."""
    tp = TopicPartition("t", 0)
    kept = kafka_raw._Kept(data)
    assert kept.has_next()
    assert kept.size_in_bytes() == len(data)
    handed = (None, None, True, fetcher.READ_COMMITTED)
    records = kafka_raw._Pieces(tp, kept, aborted, fetch_offset, *handed)
    state = SimpleNamespace(position=fetch_offset, paused=False)
    state.consumed_to = lambda position: setattr(state, "position", position)
    assignment = SimpleNamespace(active=True, state_value=lambda tp: state)
    made = fetcher.FetchResult(tp, assignment=assignment, partition_records=records, backoff=0)
    return made, state


def test_a_batch_that_cannot_be_read_is_told_when_it_is_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kafka_batches, "PIECE", 1)
    good, bad = batch([Record(b"v")] * 3, 0), batch([Record(b"v")], 3)[:-1] + b"\x02"
    some, state = result(good + bad, 1)
    assert [item.offsets.tolist() for item in some.getall(4)] == [[1, 2]]
    assert (state.position, some.has_more()) == (3, False)
    for _ in range(2):  # it is asked for again, and again
        some, state = result(bad + good, 3)
        (error,) = some.getall(4)
        assert isinstance(error, DecodeError)
        assert (state.position, some.has_more()) == (3, False)


def test_positions_move_with_what_is_handed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_batches, "PIECE", 1)
    data = b"".join([
        batch([Record(b"v")], 0), batch([Record(b"gone")], 1, producer=7, attributes=TRANSACTIONAL),
        mark(ABORT, 7, 2), batch([Record(b"v")], 3, deltas=[4], last_delta=9), old([b"w"]),
    ])  # fmt: skip
    some, state = result(data, 0, [(7, 1)])
    seen = []
    while some.has_more():
        items = some.getall(1)
        seen.append(([item.offsets.tolist() for item in items], state.position))
    assert seen == [([[0]], 1), ([[7]], 13), ([], 13)]
    some, state = result(old([b"a", b"b"]), 0)
    assert [item.offsets.tolist() for item in some.getall(9)] == [[0, 1]]
    assert state.position == 2
