"""A small service's state with something of everything in it, and the golden checkpoints that are made of it.

`python -m tests.faults.golden` writes those of today's format under `tests/data/checkpoints`: to be run when the layout
of the state changes, and what it writes is committed. Older ones stay: they must be refused aloud.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from mm_monitor.agenda import Agenda
from mm_monitor.checkpoints import slots
from mm_monitor.checkpoints.protocol import Entry
from mm_monitor.checkpoints.record import SCHEMA, base_of, difference, whole
from mm_monitor.checkpoints.sqlite import SqliteStore
from mm_monitor.core.batch import Decoded, Rows, control_rows, empty_rows
from mm_monitor.core.engine import Engine
from mm_monitor.core.model import Control, FeedRecord, Kind, PeriodRecord, PhaseRecord
from mm_monitor.core.reference import Appointment, Contract, Reference
from mm_monitor.core.rulebook import Rulebook
from mm_monitor.core.snapshot import reference_from
from mm_monitor.health import HealthStats
from mm_monitor.rulebooks import load
from mm_monitor.sources.merge import Merge
from mm_monitor.sources.protocol import Delivery
from mm_monitor.standing import LAYOUT, Packer, Parts, State, resume, standing

PLACE = Path(__file__).parents[1] / "data" / "checkpoints"
HERE = PLACE / f"{SCHEMA}-{LAYOUT}"
TOPIC = f"topic-{slots.SCHEMA}.jsonl"  # keys and values of a compacted topic, a line each, as they were sent
SQLITE = "sqlite"  # directory of the two files as a store left them
CHUNK = 8192  # bytes of a record in a message there
SECOND = 1_000_000_000
BEGIN = 1_763_000_000 * SECOND
SOURCES = {1: ("mm.control", 0), 16_384: ("mm.quotes", 0)}
RULES = Path(__file__).with_name("golden.toml")
MAKERS, CONTRACTS = ("M0", "M1"), ("C0", "C1", "C2")


class Nowhere:
    """A source of which only the offset matters."""

    def __init__(self) -> None:
        self.offset = 0

    def state(self) -> dict[str, Any]:
        return {"offset": self.offset}

    def restore(self, state: Any) -> None:
        self.offset = state["offset"]


def rulebook() -> Rulebook:
    return load(str(RULES))


def fresh(kept: State | None = None) -> Parts:
    """Parts at the beginning, or where `kept` says."""
    if kept is None:
        contracts = [
            Contract(name, f"K{i // 2}", 10_000, number=i) for i, name in enumerate(CONTRACTS)
        ]
        names = Reference.of(
            contracts, [Appointment(maker, "*", number=i) for i, maker in enumerate(MAKERS)]
        )
    else:
        names = reference_from(kept["engine"]["reference"])
    engine = Engine([rulebook()], names, SOURCES, calendar=False)
    parts = Parts(engine, Merge(SECOND), Nowhere(), Agenda((), phases=False), HealthStats())
    if kept is not None:
        resume(parts, kept)
    return parts


def _controls() -> list[Control]:
    return [
        PeriodRecord(BEGIN, "start"),
        PhaseRecord(BEGIN, "*", "continuous"),
        FeedRecord(BEGIN + 20 * SECOND, "K1", "M1", "down"),
        FeedRecord(BEGIN + 25 * SECOND, "K1", "M1", "up"),
        PeriodRecord(BEGIN + 60 * SECOND, "end"),
    ]


def _quotes(first: int, last: int) -> Rows:
    """Every second a quote of every maker on every contract; M1 is wide, or away, now and then."""
    rows = empty_rows((last - first) * len(MAKERS) * len(CONTRACTS))
    at = 0
    for second in range(first, last):
        for maker in range(len(MAKERS)):
            for contract in range(len(CONTRACTS)):
                rows[at] = 0
                rows["ts"][at] = BEGIN + second * SECOND + maker * 1_000_003 + contract
                rows["kind"][at], rows["part"][at], rows["offset"][at] = Kind.QUOTE, 16_384, second
                rows["sub"][at], rows["maker"][at], rows["contract"][at] = (
                    maker * 8 + contract,
                    maker,
                    contract,
                )
                wide = maker and second % 7 > 4
                size = 0 if maker and second % 11 == contract else 10
                rows["a"][at], rows["a_size"][at] = 100_000_000, size
                rows["b"][at], rows["b_size"][at] = 110_000_000 if wide else 101_000_000, size
                at += 1
    return rows


def play(parts: Parts, first: int, last: int) -> None:
    """The seconds from `first` to `last` of the session; the merge keeps the newest second back."""
    if first == 0:
        kinds = [Kind.PERIOD, Kind.PHASE, Kind.FEED, Kind.FEED, Kind.PERIOD]
        controls = _controls()
        parts.merge.push(
            Delivery(1, Decoded(control_rows(controls, kinds, 1, range(5)), controls), 5)
        )
    rows = _quotes(first, last)
    parts.merge.push(Delivery(16_384, Decoded(rows), len(rows)))
    watermark = parts.merge.mark([16_384])
    parts.engine.apply(parts.merge.release(watermark))
    parts.engine.advance(watermark)
    source = parts.source
    assert isinstance(source, Nowhere)
    source.offset = last


def outcome(parts: Parts) -> dict[str, Any]:
    """What is shown at the end of the session."""
    (view,) = parts.engine.at(BEGIN + 60 * SECOND)
    o = view.obligations
    rows = zip(o.maker, o.contract, o.quoted, o.lapsed, o.unknown, strict=True)
    return {
        "obligations": [
            [view.makers[int(m)], view.contracts[int(c)], *map(int, times)] for m, c, *times in rows
        ],
        "breaches": [
            [b.id, str(b.kind), b.maker, b.contract, b.start, b.end] for b in view.breaches
        ],
        "offset": parts.source.state()["offset"],
    }


def records(place: Path) -> list[Entry]:
    """The whole record, and the difference from it."""
    return [
        Entry(7, 7, (place / "whole.bin").read_bytes()),
        Entry(8, 7, (place / "difference.bin").read_bytes()),
    ]


def as_messages(entries: list[Entry]) -> str:
    """What is sent to an empty compacted topic for these, as the golden file has it."""
    partition, lines = slots.Slots("golden/0"), []
    partition.read({})
    for entry in entries:
        for key, value in partition.messages(entry, CHUNK).items():
            assert value is not None  # there is nothing that could have to go
            lines.append(json.dumps([key, base64.b64encode(value).decode()]))
        partition.written(entry, CHUNK)
    return "\n".join(lines) + "\n"


def compacted(text: str) -> dict[str, tuple[int, bytes]]:
    """What such a topic gives who reads it: the newest value of each key, and where it stands."""
    lines = [json.loads(line) for line in text.splitlines()]
    return {key: (at, base64.b64decode(value)) for at, (key, value) in enumerate(lines)}


def main() -> None:
    """Write the checkpoints of the first 30 and 31 seconds, and what the whole session comes to.

    Those that are there for today's format stay as they are, but for a topic's of another schema than theirs.
    """
    if not HERE.exists():
        _write_records()
    if not (HERE / TOPIC).exists():
        (HERE / TOPIC).write_text(as_messages(records(HERE)))
    if not (HERE / SQLITE).exists():
        store = SqliteStore(HERE / SQLITE)
        for entry in records(HERE):
            store.write(entry)
        store.close()


def _write_records() -> None:
    parts, packer = fresh(), Packer()
    play(parts, 0, 30)
    first = packer.pack(standing(parts, {}, {"kafka": parts.engine.drain()}))
    play(parts, 30, 31)
    second = packer.pack(standing(parts, {}, {}))
    entry = whole(7, first)
    HERE.mkdir(parents=True)
    (HERE / "whole.bin").write_bytes(entry.data)
    (HERE / "difference.bin").write_bytes(difference(8, base_of(entry, first), second).data)
    play(parts, 31, 60)
    (HERE / "outcome.json").write_text(json.dumps(outcome(parts), indent=1) + "\n")


if __name__ == "__main__":
    main()
