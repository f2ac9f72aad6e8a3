"""Revisions of a small day, by hand: what came late, what was wrong, what was granted, and what was known when."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mm_monitor.core.engine import Engine
from mm_monitor.core.schedule import Schedule
from mm_monitor.core.timetable import TIMETABLE_PART, decoded
from mm_monitor.errors import InputError, MonitorError
from mm_monitor.pump import Pump
from mm_monitor.recording.writer import TapeWriter
from mm_monitor.replay import DeadLetterCount, open_capture, timetable_of
from mm_monitor.revisions.difference import breach_differences
from mm_monitor.revisions.revise import Done, Wanted, known, revise
from mm_monitor.revisions.store import Revisions
from mm_monitor.rulebooks import load
from mm_monitor.sources.capture import CaptureSource
from mm_monitor.sources.merge import Merge
from mm_monitor.sources.protocol import Delivery
from tests.minute import OPENS, minute_rules

SECOND = 1_000_000_000
OPEN = OPENS
RULES = minute_rules("small")
QUOTES = "ts_event,maker,contract,bid_price,bid_size,ask_price,ask_size"


def table(folder: Path, name: str, *lines: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
    return folder


def quote(second: int, maker: str, *, there: bool = True) -> str:
    sides = "0.9900,1,1.0100,1" if there else ",0,,0"
    return f"{OPEN + second * SECOND},{maker},C0,{sides}"


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """M0 quotes from second 40 on, M1 all the time."""
    folder = tmp_path / "capture"
    table(folder, "contracts", "contract,class,tick", "C0,K0,0.0001")
    table(folder, "makers", "maker,class", "M0,*", "M1,*")
    table(folder, "quotes", QUOTES, quote(0, "M1"), quote(40, "M0"), quote(55, "M1"))
    (tmp_path / "rules.toml").write_text(RULES)
    return folder


async def run(capture: Path, source: Path | None = None, now: int = 100, **more: Any) -> Done:
    book = load(str(capture.parent / "rules.toml"))
    more.setdefault("reason", "a test")
    return await revise(Wanted(source or capture, book, capture.parent / "reports", **more), now)


def presence(done: Done, maker: str) -> str:
    assert done.revision is not None
    rows: Any = done.revision.report["obligations"]
    return str(next(row["presence"] for row in rows if row["maker"] == maker))


async def tape(capture: Path, late: tuple[str, ...] = (), *, until: int = 60) -> Path:
    """The capture as a service records it, up to a second of its date, with these quotes coming too late."""
    book = load(str(capture.parent / "rules.toml"))
    reference, source = open_capture(capture)
    await source.start()
    timetable, _ = timetable_of(source, book, capture)
    engine = Engine([book], reference, source.part_names)
    clock = [0]
    folder = capture.parent / "journal"
    folder.mkdir()
    assert book.calendar is not None
    writer = TapeWriter(folder, engine, Schedule(book.calendar), now=lambda: clock[0])
    merge = Merge()
    pump = Pump(source, merge, engine, DeadLetterCount())
    pump.judging = writer.judged
    merge.push(Delivery(TIMETABLE_PART, decoded(timetable, 0), 0))
    while not source.finished:
        for delivery in await source.poll():
            merge.push(delivery)
    for second in range(-1, until + 1):  # the watermark of each second is published a second later
        batch = merge.release(OPEN + second * SECOND)
        writer.judged(batch)
        engine.apply(batch)
        clock[0] = OPEN + (second + 1) * SECOND
        writer.flush(merge.watermark)
    if late:
        extra = table(capture.parent / "late", "quotes", QUOTES, *late)
        came = CaptureSource(extra, reference)
        await came.start()
        for delivery in await came.poll():
            rows = delivery.decoded.rows.copy()
            rows["part"] = 9  # of another partition
            writer.late(rows, [])
        writer.flush(merge.watermark)
    writer.close()
    return folder / "2025-08-04.tape"


@pytest.mark.criterion("TAPE-03")
async def test_it_says_how_far_it_is(capture: Path) -> None:
    told: list[tuple[str, int, int]] = []
    await run(capture, progress=lambda *what: told.append(what))
    assert {stage for stage, _, _ in told} >= {"reading"}
    assert told[-1][1] == told[-1][2] > 0


async def test_what_came_late_is_in_the_next_revision_with_its_reason(capture: Path) -> None:
    source = await tape(capture, (quote(10, "M0"),))
    done = await run(capture, source)
    assert presence(done, "M0") == "0.833333333"  # 50 of 60 s
    first = Revisions(capture.parent / "reports", "2025-08-04", "small").read(0)
    assert first.report["obligations"][0]["presence"] == "0.333333333"
    assert first.report["records"]["late"] == 1
    assert done.revision is not None
    about = done.revision.about
    (row,) = about["difference"]["obligations"]
    assert (row["maker"], row["was"]["quoted_ns"], row["is"]["quoted_ns"]) == (
        "M0",
        20 * SECOND,
        50 * SECOND,
    )
    (because,) = row["because"]
    assert (because["what"], because["record"], because["first"]) == (
        "late",
        "quote",
        OPEN + 10 * SECOND,
    )
    assert (await run(capture, source)).revision is None


@pytest.mark.criterion("BRCH-02")
async def test_a_breach_that_is_gone_is_withdrawn(capture: Path) -> None:
    done = await run(capture, await tape(capture, (quote(10, "M0"),)), now=777)
    gone = [event for event in done.events if event.action == "withdrawn"]
    first = Revisions(capture.parent / "reports", "2025-08-04", "small").read(0)
    assert {e.breach.id for e in gone} == {b["id"] for b in first.report["breaches"]}
    assert {e.breach.kind for e in gone} == {"presence", "presence_unreachable"}
    assert {e.noticed_at for e in gone} == {777}
    assert all(e.breach.evidence == {"revision": 1, "successor": None} for e in gone)


def test_a_moved_breach_names_its_successor() -> None:
    def breach(id_: str, start: int) -> dict[str, Any]:
        return {
            "id": id_,
            "kind": "lapse",
            "maker": "M0",
            "contract": "C0",
            "start": start,
            "end": None,
        }

    found = breach_differences([breach("a", 5)], [breach("c", 50), breach("b", 6)])
    assert [(f["action"], f["breach"]["id"], f.get("successor")) for f in found] == [
        ("withdrawn", "a", "b"), ("opened", "c", None), ("opened", "b", None),
    ]  # fmt: skip


async def test_corrections_add_and_remove_and_stay(capture: Path) -> None:
    removed = table(capture.parent / "wrong", "quotes", QUOTES, quote(40, "M0"))
    done = await run(capture, correction=(None, removed))
    assert presence(done, "M0") == "0.000000000"
    added = table(
        capture.parent / "fix", "exemptions", "ts_event,scope,maker,kind,action,author,reason",
        f"{OPEN},K0,M0,technical,start,ann,line cut", f"{OPEN + 50 * SECOND},K0,M0,technical,end,ann,line cut",
    )  # fmt: skip
    table(added, "quotes", QUOTES, quote(55, "M0"))
    again = await run(capture, correction=(added, None))
    assert presence(again, "M0") == "0.500000000"  # 5 of the 10 s that are left: the removal stands
    assert again.revision is not None
    assert again.revision.number == 2
    records = [c["record"] for c in again.revision.about["changes"]]
    assert sorted(records) == ["exemption", "quote", "quote"]


async def test_a_revision_is_never_written_over(capture: Path) -> None:
    await run(
        capture,
        correction=(None, table(capture.parent / "wrong", "quotes", QUOTES, quote(40, "M0"))),
    )
    kept = Revisions(capture.parent / "reports", "2025-08-04", "small")
    before = kept.read(1)
    with pytest.raises(MonitorError, match="there is one already"):
        kept.publish(1, {"another": 1}, before.about)
    (kept.place / "report-1.json").write_text("{}")
    with pytest.raises(InputError, match="changed after it was published"):
        kept.newest()


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (f"{OPEN + 41 * SECOND},M0,C0,,0,,0", "no record of ts_event 1754272841"),
        (f"{OPEN},M0,C9,1,1,1,1", "quotes.csv:2: .*contract"),
    ],
)
async def test_a_correction_that_cannot_be_used_is_named(
    capture: Path, line: str, what: str
) -> None:
    wrong = table(capture.parent / "wrong", "quotes", QUOTES, line)
    with pytest.raises(InputError, match=what):
        await run(capture, correction=(None, wrong))


async def test_what_was_known_then(capture: Path) -> None:
    source = await tape(capture, (quote(10, "M0"),))
    book = load(str(capture.parent / "rules.toml"))
    then = await known(source, book, OPEN + 51 * SECOND)
    assert then["as_of"] == {"instant": OPEN + 51 * SECOND, "watermark": OPEN + 50 * SECOND}
    rows: Any = then["obligations"]
    assert [row["quoted_ns"] for row in rows] == [10 * SECOND, 50 * SECOND]
    assert then["period"] == {"start": OPEN, "end": OPEN + 50 * SECOND}
    with pytest.raises(MonitorError, match="nothing had been judged"):
        await known(source, book, OPEN - 5 * SECOND)
    await run(capture, source, now=OPEN + 100 * SECOND)
    kept = Revisions(capture.parent / "reports", "2025-08-04", "small")
    assert kept.known_at(OPEN + 99 * SECOND) is None
    newest = kept.known_at(OPEN + 100 * SECOND)
    assert newest is not None
    assert newest.number == 1


async def test_a_date_that_is_not_over_cannot_be_revised(capture: Path) -> None:
    with pytest.raises(InputError, match="a date that is over"):
        await run(capture, await tape(capture, until=50))
    assert not (capture.parent / "reports").exists()


async def test_other_rules_are_a_reason(capture: Path) -> None:
    await run(
        capture,
        correction=(None, table(capture.parent / "wrong", "quotes", QUOTES, quote(0, "M1"))),
    )
    (capture.parent / "rules.toml").write_text(RULES.replace("50%", "20%"))
    done = await run(capture)
    assert done.revision is not None
    assert (
        json.dumps(done.revision.about["difference"]["obligations"][0]["because"]).count("rulebook")
        == 1
    )
