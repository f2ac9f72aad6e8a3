"""Malformed Kafka records of every kind, each with the reason it must be refused for.

A record that names an instant, a maker and a contract leaves that slot unknown until the next good
quote; a *neutral* one does not, and so changes nothing about any obligation. A session with
`poison` strews the others in and knows what they do to the truth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
import numpy as np

from mm_monitor.errors import MonitorError
from mm_monitor.simulator.market import TICK
from mm_monitor.simulator.rows import NULL, QUOTE, THEO, packed
from mm_monitor.simulator.scenario import Scenario

NOBODY = "nobody"  # no maker is called so
UNKNOWN = 4_000_000_000  # no number of a maker or contract
TOO_DEAR = 92 * 10**17 + TICK  # just beyond 9.2e10


class BadRecord(NamedTuple):
    """One malformed record: the topic it goes to, when (event time), its key, and why it is bad."""

    ts: int
    feed: str  # quotes | theo | control
    klass: str
    value: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Address:
    """What the record would be about if it were good."""

    ts: int
    maker: int
    contract: int
    maker_name: str
    contract_name: str


@dataclass(frozen=True, slots=True)
class Defect:
    """One way to be bad. `names_slot`: the instant, maker and contract can still be read."""

    feed: str
    reason: str
    make: Callable[[Address], bytes]
    names_slot: bool = False


def bad_records(
    scenario: Scenario, count: int, seed: int, codec: str = "packed", *, neutral: bool = True
) -> list[BadRecord]:
    """`count` malformed records in time order, all kinds in turn.

    With `neutral`, only such as leave the truth of the session alone: `packed` ones lose the kinds
    that name a slot, `json` ones name a maker that has none. Raises MonitorError for an unknown
    codec.
    """
    defects = [d for d in _of_codec(codec) if not (neutral and codec == "packed" and d.names_slot)]
    rng = np.random.default_rng([seed, 6])
    times = np.sort(rng.integers(scenario.start, scenario.end, count)).tolist()
    records = []
    for ts, turn in zip(times, rng.permutation(count).tolist(), strict=True):
        contract = scenario.contracts[int(rng.integers(len(scenario.contracts)))]
        maker = int(rng.integers(len(scenario.makers)))
        name = NOBODY if neutral else scenario.makers[maker].name
        defect = defects[turn % len(defects)]
        value = defect.make(Address(ts, maker + 1, contract.number, name, contract.name))
        records.append(BadRecord(ts, defect.feed, contract.klass, value, defect.reason))
    return records


def _of_codec(codec: str) -> tuple[Defect, ...]:
    if codec not in DEFECTS:
        raise MonitorError(f"codec must be one of {', '.join(DEFECTS)}, got {codec!r}")
    return DEFECTS[codec] + CONTROL


# -- packed -----------------------------------------------------------------------------


def _quote_row(**columns: int) -> Callable[[Address], bytes]:
    def make(at: Address) -> bytes:
        rows = np.zeros(1, dtype=QUOTE)
        good = (at.ts, 100 * TICK, 101 * TICK, 10, 10, at.maker, at.contract)
        rows[0] = good
        for column, value in columns.items():
            rows[column] = value
        return packed(rows)

    return make


def _theo_row(**columns: int) -> Callable[[Address], bytes]:
    def make(at: Address) -> bytes:
        rows = np.zeros(1, dtype=THEO)
        rows[0] = (at.ts, 100 * TICK, at.contract, 0)
        for column, value in columns.items():
            rows[column] = value
        return packed(rows)

    return make


def _edited(edit: Callable[[bytes], bytes]) -> Callable[[Address], bytes]:
    """The bytes of a good packed quote, edited."""
    good = _quote_row()
    return lambda at: edit(good(at))


def _byte(position: int, value: int) -> Callable[[bytes], bytes]:
    return lambda record: record[:position] + bytes([value]) + record[position + 1 :]


PACKED = (
    Defect("quotes", "undecodable", _edited(lambda record: record[:-1])),
    Defect("quotes", "undecodable", _edited(lambda record: record[:5])),
    Defect("quotes", "undecodable", _edited(lambda record: b"")),
    Defect("quotes", "undecodable", _edited(lambda record: record + b"\0")),
    Defect("quotes", "undecodable", _edited(lambda record: b'{"ts_event": 1}')),
    Defect("quotes", "undecodable", _edited(_byte(1, 9))),  # template
    Defect("quotes", "undecodable", _edited(_byte(2, 78))),  # schema
    Defect("quotes", "undecodable", _edited(_byte(4, 3))),  # row length
    Defect("quotes", "undecodable", _edited(_byte(6, 2))),  # row count
    Defect("quotes", "bad_time", _quote_row(ts_event=-1)),
    Defect("quotes", "unknown_contract", _quote_row(contract=UNKNOWN)),
    Defect("quotes", "unknown_maker", _quote_row(maker=UNKNOWN)),
    Defect("quotes", "bad_size", _quote_row(bid_size=-5), True),
    Defect("quotes", "bad_size", _quote_row(ask_size=-(2**31)), True),
    Defect("quotes", "off_tick", _quote_row(ask_price=101 * TICK + 1), True),
    Defect("quotes", "bad_price", _quote_row(ask_price=TOO_DEAR), True),
    Defect("quotes", "non_positive_price", _quote_row(bid_price=0), True),
    Defect("quotes", "non_positive_price", _quote_row(bid_price=-TICK), True),
    Defect("quotes", "size_without_price", _quote_row(bid_price=NULL), True),
    Defect("theo", "undecodable", lambda at: _theo_row()(at)[:-3]),
    Defect("theo", "undecodable", _quote_row()),
    Defect("theo", "bad_time", _theo_row(ts_event=-1)),
    Defect("theo", "unknown_contract", _theo_row(contract=UNKNOWN)),
    Defect("theo", "bad_theo", _theo_row(theo=-1)),
    Defect("theo", "bad_theo", _theo_row(theo=TOO_DEAR)),
)

# -- json -------------------------------------------------------------------------------


def _quote_object(**columns: Any) -> Callable[[Address], bytes]:
    """A good quote with some columns replaced; None stands for null, `...` takes the column out."""

    def make(at: Address) -> bytes:
        good = {
            "ts_event": at.ts,
            "maker": at.maker_name,
            "contract": at.contract_name,
            "bid_price": "0.01",
            "bid_size": 10,
            "ask_price": "0.0101",
            "ask_size": 10,
        }
        return _json({**good, **columns})

    return make


def _theo_object(**columns: Any) -> Callable[[Address], bytes]:
    def make(at: Address) -> bytes:
        return _json({"ts_event": at.ts, "contract": at.contract_name, "theo": "0.01", **columns})

    return make


def _json(fields: dict[str, Any]) -> bytes:
    return msgspec.json.encode({k: v for k, v in fields.items() if v is not ...})


def _bare_nan(at: Address) -> bytes:
    return _quote_object()(at).replace(b'"0.01"', b"NaN")


JSON = (
    Defect("quotes", "undecodable", lambda at: _quote_object()(at)[:-1]),
    Defect("quotes", "undecodable", lambda at: b""),
    Defect("quotes", "undecodable", lambda at: b"\xff\xfe\x00"),
    Defect("quotes", "undecodable", lambda at: b"17"),
    Defect("quotes", "undecodable", _bare_nan),
    Defect("quotes", "undecodable", _quote_object(contract=...)),
    Defect("quotes", "undecodable", _quote_object(maker=7)),
    Defect("quotes", "bad_time", _quote_object(ts_event=-1)),
    Defect("quotes", "bad_time", _quote_object(ts_event="soon")),
    Defect("quotes", "bad_time", _quote_object(ts_event=2**63)),
    Defect("quotes", "unknown_contract", _quote_object(contract="no such")),
    Defect("quotes", "bad_price", _quote_object(bid_price="NaN"), True),
    Defect("quotes", "bad_price", _quote_object(ask_price=str(10**18)), True),
    Defect("quotes", "bad_price", _quote_object(bid_price="0.000000001"), True),
    Defect("quotes", "off_tick", _quote_object(bid_price="0.00005"), True),
    Defect("quotes", "non_positive_price", _quote_object(bid_price="0"), True),
    Defect("quotes", "non_positive_price", _quote_object(bid_price="-0.01"), True),
    Defect("quotes", "size_without_price", _quote_object(ask_price=None), True),
    Defect("quotes", "bad_size", _quote_object(bid_size=-5), True),
    Defect("quotes", "bad_size", _quote_object(bid_size=1.5), True),
    Defect("quotes", "bad_size", _quote_object(ask_size=2**31), True),
    Defect("theo", "undecodable", lambda at: _theo_object()(at)[:-3]),
    Defect("theo", "bad_time", _theo_object(ts_event=-1)),
    Defect("theo", "unknown_contract", _theo_object(contract="no such")),
    Defect("theo", "bad_theo", _theo_object(theo="-0.01")),
    Defect("theo", "bad_theo", _theo_object(theo="NaN")),
    Defect("theo", "bad_theo", _theo_object(theo=str(10**18))),
)


def _control(**columns: Any) -> Callable[[Address], bytes]:
    def make(at: Address) -> bytes:
        return _json({"ts_event": at.ts, "scope": at.contract_name, **columns})

    return make


CONTROL = (
    Defect("control", "undecodable", lambda at: b'{"record": "phase"'),
    Defect("control", "undecodable", _control(record="gossip")),
    Defect("control", "bad_time", _control(record="phase", phase="halt", ts_event=-1)),
    Defect("control", "unknown_phase", _control(record="phase", phase="lunch")),
    Defect("control", "unknown_action", _control(record="stress", action="pause")),
    Defect("control", "unknown_scope", _control(record="phase", phase="halt", scope="no such")),
    Defect(
        "control",
        "unknown_kind",
        _control(record="exemption", maker="*", kind="no such", action="start"),
    ),
    Defect(
        "control",
        "unknown_contract",
        _control(record="fill", maker="M0", contract="no such", side="buy", price="0.0275", size=1),
    ),
    Defect(
        "control",
        "non_positive_price",
        _control(record="underlying", price="0", **{"class": "no such"}),
    ),
    Defect("control", "bad_vol", _control(record="vol", contract="no such", vol="0")),
    Defect("control", "unknown_action", _control(record="session", maker="M0", status="asleep")),
    Defect(
        "control",
        "unknown_class",
        _control(record="position", maker="M0", net_delta="1", limit="2", **{"class": "no such"}),
    ),
    Defect(
        "control",
        "bad_position",
        _control(record="position", maker="M0", net_delta="x", limit="2", **{"class": "no such"}),
    ),
)

DEFECTS = {"packed": PACKED, "json": JSON}
