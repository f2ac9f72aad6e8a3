"""Control and reference records: kinds, reasons, rows that carry them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_monitor.codecs import codec_for
from mm_monitor.codecs.control import ControlCodec, KeyedRecord
from mm_monitor.codecs.protocol import Chunk
from mm_monitor.core.model import (
    BadReason,
    ExemptionRecord,
    FeedRecord,
    FillRecord,
    Kind,
    PhaseRecord,
    PositionRecord,
    ReferenceRecord,
    RejectRecord,
    SessionRecord,
    StressRecord,
    VolRecord,
)
from mm_monitor.core.reference_rows import apply_reference
from mm_monitor.errors import MonitorError
from tests.unit.codecs.samples import chunk, dumps, raw, reference

CODEC = ControlCodec()
PHASE = {"record": "phase", "ts_event": 7, "scope": "*", "phase": "continuous"}
EXEMPT = {"record": "exemption", "ts_event": 7, "scope": "K0", "maker": "*", "kind": "halt",
          "action": "start"}  # fmt: skip
FEED = {"record": "feed", "ts_event": 7, "scope": "C0", "maker": "M0", "status": "synced"}
STRESS = {"record": "stress", "ts_event": 7, "scope": "K0", "action": "end"}
FILL = {"record": "fill", "ts_event": 7, "maker": "M0", "contract": "C0", "side": "buy",
        "price": "0.0275", "size": 4}  # fmt: skip
POSITION = {"record": "position", "ts_event": 7, "maker": "M0", "class": "K0",
            "net_delta": "-120.5", "limit": 500}  # fmt: skip
SESSION = {"record": "session", "ts_event": 7, "maker": "M0", "account": "A1", "status": "logon"}
VOL = {"record": "vol", "ts_event": 7, "contract": "C0", "vol": "0.215"}
SURFACE = {"record": "vol", "ts_event": 7, "class": "K0", "expiry": "2025-08-27", "vol": "0.2"}
REJECT = {"record": "reject", "ts_event": 7, "maker": "M0", "reason": "price_band"}
LISTING = {"record": "reference", "ts_event": 7, "table": "contracts", "action": "add",
           "contract": "C2", "class": "K0", "tick": 0.0001, "id": 12}  # fmt: skip


def test_every_kind_of_control() -> None:
    first = dumps([PHASE, EXEMPT])
    got = CODEC.decode(chunk("control", first, dumps([FEED, STRESS, LISTING])), reference())
    assert got.dead == []
    assert [type(c) for c in got.controls] == [
        PhaseRecord, ExemptionRecord, FeedRecord, StressRecord, ReferenceRecord,
    ]  # fmt: skip
    assert got.rows["kind"].tolist() == [
        Kind.PHASE, Kind.EXEMPTION, Kind.FEED, Kind.STRESS, Kind.REFERENCE,
    ]  # fmt: skip
    assert got.rows["a"].tolist() == [0, 1, 2, 3, 4]
    assert got.rows["offset"].tolist() == [100, 100, 101, 101, 101]
    assert got.rows["sub"].tolist() == [0, 1, 0, 1, 2]
    assert got.rows["ts"].tolist() == [7] * 5
    phase = got.controls[0]
    assert isinstance(phase, PhaseRecord)
    assert phase.raw == raw(first, 100)


def test_records_of_conduct() -> None:
    value = dumps([FILL, POSITION, SESSION, REJECT, {**SESSION, "account": None}])
    got = CODEC.decode(chunk("control", value), reference())
    assert got.dead == []
    record = raw(value, 100)
    assert got.controls == [
        FillRecord(7, "M0", "C0", "buy", 2_750_000, 4, record),
        PositionRecord(7, "M0", "K0", -12_050_000_000, 50_000_000_000, record),
        SessionRecord(7, "M0", "A1", "logon", record),
        RejectRecord(7, "M0", "price_band", record),
        SessionRecord(7, "M0", "", "logon", record),
    ]
    assert got.rows["kind"].tolist() == [
        Kind.FILL, Kind.POSITION, Kind.SESSION, Kind.REJECT, Kind.SESSION,
    ]  # fmt: skip


def test_vols_of_a_contract_and_of_an_expiry() -> None:
    value = dumps([VOL, {**SURFACE, "vol": 0.2}, {**VOL, "vol": None}])
    got = CODEC.decode(chunk("control", value), reference())
    assert got.dead == []
    record = raw(value, 100)
    assert got.controls == [
        VolRecord(7, "C0", "", "", 21_500_000, record),
        VolRecord(7, "", "K0", "2025-08-27", 20_000_000, record),
        VolRecord(7, "C0", "", "", None, record),
    ]
    assert set(got.rows["kind"].tolist()) == {Kind.VOL}


BAD = [
    ({**VOL, "vol": "0"}, BadReason.BAD_VOL),
    ({**VOL, "vol": "-0.2"}, BadReason.BAD_VOL),
    ({**VOL, "vol": "100.1"}, BadReason.BAD_VOL),
    ({**VOL, "vol": "0.123456789"}, BadReason.BAD_VOL),
    ({**VOL, "vol": "much"}, BadReason.BAD_VOL),
    ({**VOL, "contract": ""}, BadReason.UNDECODABLE),
    ({**VOL, "class": "K0", "expiry": "2025-08-27"}, BadReason.UNDECODABLE),
    ({**FILL, "side": "both"}, BadReason.UNKNOWN_ACTION),
    ({**FILL, "price": "0"}, BadReason.NON_POSITIVE_PRICE),
    ({**FILL, "price": "nan"}, BadReason.BAD_PRICE),
    ({**FILL, "price": "0.000000001"}, BadReason.BAD_PRICE),
    ({**FILL, "size": 0}, BadReason.BAD_SIZE),
    ({**FILL, "size": 1.5}, BadReason.BAD_SIZE),
    ({**FILL, "size": 2**31}, BadReason.BAD_SIZE),
    ({**FILL, "contract": ""}, BadReason.UNDECODABLE),
    ({**POSITION, "net_delta": "much"}, BadReason.BAD_POSITION),
    ({**POSITION, "net_delta": "92000000001"}, BadReason.BAD_POSITION),
    ({**POSITION, "limit": "-1"}, BadReason.BAD_POSITION),
    ({**POSITION, "limit": "0.123456789"}, BadReason.BAD_POSITION),
    ({**POSITION, "limit": None}, BadReason.UNDECODABLE),
    ({**SESSION, "status": "asleep"}, BadReason.UNKNOWN_ACTION),
    ({**SESSION, "maker": ""}, BadReason.UNDECODABLE),
    ({**REJECT, "reason": ""}, BadReason.UNDECODABLE),
    ({**REJECT, "ts_event": 2**63}, BadReason.BAD_TIME),
    ({**PHASE, "phase": "lunch"}, BadReason.UNKNOWN_PHASE),
    ({**PHASE, "ts_event": -1}, BadReason.BAD_TIME),
    ({**PHASE, "ts_event": "soon"}, BadReason.BAD_TIME),
    ({**PHASE, "scope": ""}, BadReason.UNDECODABLE),
    ({**PHASE, "scope": ["*"]}, BadReason.UNDECODABLE),
    ({**PHASE, "record": "weather"}, BadReason.UNDECODABLE),
    ({**EXEMPT, "action": "pause"}, BadReason.UNKNOWN_ACTION),
    ({**FEED, "status": "sideways"}, BadReason.UNKNOWN_ACTION),
    ({**STRESS, "action": "down"}, BadReason.UNKNOWN_ACTION),
    ({**LISTING, "tick": "0"}, BadReason.BAD_REFERENCE),
    ({**LISTING, "tick": "1e999999"}, BadReason.BAD_REFERENCE),
    ({**LISTING, "tick": None}, BadReason.BAD_REFERENCE),
    ({**LISTING, "contract": "*"}, BadReason.BAD_REFERENCE),
    ({**LISTING, "class": "*"}, BadReason.BAD_REFERENCE),
    ({**LISTING, "table": "makers", "maker": "*"}, BadReason.BAD_REFERENCE),
    ({**LISTING, "table": "makers"}, BadReason.BAD_REFERENCE),
    ({**LISTING, "kind": "swap"}, BadReason.BAD_REFERENCE),
    ({**LISTING, "id": 2**32}, BadReason.BAD_REFERENCE),
    ({**LISTING, "table": "weather"}, BadReason.BAD_REFERENCE),
    ({**LISTING, "action": "drop"}, BadReason.UNKNOWN_ACTION),
    ([], BadReason.UNDECODABLE),
    (None, BadReason.UNDECODABLE),
]


@pytest.mark.criterion("TAPE-04")
@pytest.mark.parametrize(("record", "reason"), BAD)
def test_a_bad_control_is_dead_lettered_alone(record: Any, reason: BadReason) -> None:
    got = CODEC.decode(chunk("control", dumps([PHASE, record]), dumps(FEED)), reference())
    assert [d.reason for d in got.dead] == [reason]
    assert got.dead[0].raw.value == dumps(record)
    assert [type(c) for c in got.controls] == [PhaseRecord, FeedRecord]


def test_a_bad_record_of_a_known_maker_is_counted_as_theirs() -> None:
    bad = [{**FILL, "side": "both"}, {**FILL, "side": "both", "maker": "nobody"}]
    got = CODEC.decode(chunk("control", dumps(bad)), reference())
    assert [letter.maker for letter in got.dead] == ["M0", ""]


def keyed(key: bytes, value: bytes) -> Chunk:
    return Chunk("reference", 2, [KeyedRecord("mm.reference", 0, 4, value, 99, key, 5_000)])


@pytest.mark.parametrize(
    ("key", "row"),
    [
        (b"contracts/C0", {"contract": "C0"}),
        (b"makers/M1/*", {"maker": "M1", "class": "*"}),
        (b"accounts/A7", {"account": "A7"}),
    ],
)
def test_a_tombstone_removes_what_its_key_names(key: bytes, row: dict[str, str]) -> None:
    (record,) = CODEC.decode(keyed(key, b""), reference()).controls
    assert isinstance(record, ReferenceRecord)
    assert (record.ts, record.action, record.row) == (5_000, "remove", row)
    if record.table != "accounts":
        names = reference()
        apply_reference(names, record)
        assert names.version > reference().version


@pytest.mark.parametrize("key", [b"", b"contracts", b"makers/M1", b"weather/x", b"\xff"])
def test_a_tombstone_of_nothing(key: bytes) -> None:
    assert [d.reason for d in CODEC.decode(keyed(key, b""), reference()).dead] == ["undecodable"]


def test_a_row_of_the_topic_takes_effect() -> None:
    value = dumps({"table": "contracts", "contract": "C9", "class": "K9", "tick": "0.01", "id": 99})
    (record,) = CODEC.decode(keyed(b"contracts/C9", value), reference()).controls
    assert isinstance(record, ReferenceRecord)
    names = reference()
    apply_reference(names, record)
    listed = names.contracts[names.contract_index["C9"]]
    assert (listed.klass, listed.tick, listed.number) == ("K9", 1_000_000, 99)


@pytest.mark.criterion("TAPE-04")
@given(st.binary() | st.sampled_from([PHASE, FEED, LISTING]).map(lambda r: dumps(r)[:-3]))
def test_no_bytes_make_it_raise(value: bytes) -> None:
    assert len(CODEC.decode(chunk("control", value), reference()).dead) >= (value != b"[]")
    CODEC.decode(keyed(value, value), reference())


def test_the_registry_knows_its_codecs() -> None:
    assert codec_for("quotes", "packed").name == "packed"
    assert codec_for("theo", "json").name == "json"
    assert codec_for("control", "packed").name == "control"
    with pytest.raises(MonitorError, match="arrow, avro, fix, json, packed, protobuf, got 'xml'"):
        codec_for("quotes", "xml")
