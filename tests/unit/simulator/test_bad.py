"""Malformed records are refused by the codecs for exactly the reason they were made for."""

from __future__ import annotations

from collections import Counter

import pytest

from mm_monitor.codecs.control import ControlCodec
from mm_monitor.codecs.json import JsonCodec
from mm_monitor.codecs.packed import PackedCodec
from mm_monitor.codecs.protocol import Chunk, Codec
from mm_monitor.core.model import BadReason, RawRecord
from mm_monitor.core.reference import Appointment, Contract, Reference
from mm_monitor.errors import MonitorError
from mm_monitor.simulator import random_session
from mm_monitor.simulator.bad import CONTROL, DEFECTS, bad_records
from mm_monitor.simulator.market import TICK

SCENARIO = random_session(1)
# Known only where the record takes effect.
NOT_BY_CODECS = {
    ("control", reason)
    for reason in ("unknown_scope", "unknown_kind", "unknown_contract", "unknown_class")
}


def reference() -> Reference:
    contracts = [Contract(c.name, c.klass, TICK, number=c.number) for c in SCENARIO.contracts]
    makers = [
        Appointment(maker.name, klass, number=number)
        for number, maker in enumerate(SCENARIO.makers, 1)
        for klass in maker.classes
    ]
    return Reference.of(contracts, makers)


@pytest.mark.criterion("TAPE-04")
@pytest.mark.parametrize("neutral", [True, False])
@pytest.mark.parametrize("codec", ["packed", "json"])
def test_the_codecs_give_the_reason_that_was_meant(codec: str, neutral: bool) -> None:
    names = reference()
    decoders: dict[str, Codec] = {"packed": PackedCodec(), "json": JsonCodec()}
    for bad in bad_records(SCENARIO, 300, 5, codec, neutral=neutral):
        decoder: Codec = ControlCodec() if bad.feed == "control" else decoders[codec]
        decoded = decoder.decode(Chunk(bad.feed, 0, [RawRecord(bad.feed, 0, 7, bad.value)]), names)
        reasons = [letter.reason.value for letter in decoded.dead]
        assert reasons == ([] if (bad.feed, bad.reason) in NOT_BY_CODECS else [bad.reason]), bad
        if neutral and bad.feed != "control":
            assert not [
                row for row in decoded.rows if row["maker"] >= 0 and row["contract"] >= 0
            ], bad


@pytest.mark.parametrize("codec", ["packed", "json"])
def test_every_kind_comes_in_turn_and_in_time_order(codec: str) -> None:
    records = bad_records(SCENARIO, 500, 5, codec, neutral=False)
    meant = Counter((d.feed, d.reason) for d in DEFECTS[codec] + CONTROL)
    seen = Counter((r.feed, r.reason) for r in records)
    assert set(seen) == set(meant)
    assert {reason for _, reason in seen} <= {reason.value for reason in BadReason}
    assert [r.ts for r in records] == sorted(r.ts for r in records)
    assert records == bad_records(SCENARIO, 500, 5, codec, neutral=False)


def test_an_unknown_codec_is_refused() -> None:
    with pytest.raises(MonitorError, match="codec"):
        bad_records(SCENARIO, 1, 1, "xml")
