"""A service that computes theos: what it decided can be read again from its journal, and is never computed again."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mm_monitor.app import App
from mm_monitor.core.rules.judging import Judging
from mm_monitor.pricing import take_kept
from mm_monitor.replay import replay
from mm_monitor.reports.report import RecordCounts, build_report, to_bytes
from mm_monitor.rulebooks import load
from mm_monitor.theo import cascade
from tests.integration.inside import inside, view_of
from tests.integration.service import until
from tests.integration.venue import SECOND, Venue, quote, rulebook
from tests.services.kafka import Kafka

T = 1_754_011_800 * SECOND  # a session of the past, 60 s long
END = T + 60 * SECOND
RULES = """
[spread]
terms = [{ relative = "3%", of = "theo" }]
[theo]
max_age = "15s"
[presence]
required = "90%"
"""
CONTRACTS = (("C0", "K0", "1.00", 0), ("C1", "K1", "1.00", 1))
HEADS = {
    "phases": ("ts_event", "scope", "phase"),
    "underlying": ("ts_event", "class", "price"),
    "vol": ("ts_event", "contract", "class", "expiry", "vol"),
    "theo": ("ts_event", "contract", "theo"),
    "quotes": ("ts_event", "maker", "contract", "bid_price", "bid_size", "ask_price", "ask_size"),
}


def records() -> dict[str, list[dict[str, Any]]]:
    """C0 has a vol, C1 a theo of the venue that falls silent, a surface, and at last nothing."""

    def at(seconds: float, *values: object) -> tuple[object, ...]:
        return (T + round(seconds * SECOND), *values)

    rows: dict[str, list[tuple[object, ...]]] = {name: [] for name in HEADS}
    rows["phases"] = [at(0, "*", "continuous"), at(60, "*", "closed")]
    for i in range(0, 50, 5):
        price = f"{1 + i / 1000:.4f}"
        rows["underlying"] += [at(i + 0.2, "K0", price), at(i + 0.3, "K1", price)]
    rows["underlying"] += [at(41.7, "K1", "")]
    rows["vol"] = [at(0.1, "C0", "", "", "0.25"), at(0.1, "", "K1", "2025-08-27", "0.2"),
                   at(22.5, "C0", "", "", "0.31")]  # fmt: skip
    rows["theo"] = [at(i, "C1", f"0.02{i}") for i in range(1, 9)]
    for i in range(0, 56, 2):
        for maker, half in (("M0", 3), ("M1", 5)):
            for name, middle in (("C0", 320 + 5 * i), ("C1", 250 + i)):
                bid, ask = f"{(middle - half) / 10000:.4f}", f"{(middle + half) / 10000:.4f}"
                rows["quotes"].append(at(i + half / 10, maker, name, bid, 10, ask, 10))
    return {
        name: [dict(zip(HEADS[name], row, strict=True)) for row in rows[name]] for name in HEADS
    }


@pytest.fixture
def venue(kafka: Kafka, tmp_path: Path) -> Venue:
    venue = Venue(kafka, tmp_path)
    venue.write_rulebook(rulebook(rules=RULES))
    lines = [f"{name},{klass},0.0001,call,{strike},2025-08-27,,{10 + part}"
             for name, klass, strike, part in CONTRACTS]  # fmt: skip
    venue.names("contracts", "contract,class,tick,kind,strike,expiry,multiplier,id", *lines)
    return venue


async def send(venue: Venue, tables: dict[str, list[dict[str, Any]]]) -> None:
    """The session, as the venue would have written it."""
    for name, record in (("phases", "phase"), ("underlying", "underlying"), ("vol", "vol")):
        for row in tables[name]:
            await venue.send(venue.control_topic, {"record": record, **row}, stamp=END)
    for _, klass, _, part in CONTRACTS:
        name = klass.replace("K", "C")
        theos = [row for row in tables["theo"] if row["contract"] == name]
        if theos:
            await venue.send(venue.theo_topic, theos, part, stamp=END)
        quotes = [
            quote(row["ts_event"], row["maker"], name, row["bid_price"], row["ask_price"])
            for row in tables["quotes"]
            if row["contract"] == name
        ]
        await venue.send(venue.quotes_topic, quotes, part, stamp=END)


def write_capture(venue: Venue, tables: dict[str, list[dict[str, Any]]]) -> Path:
    """The session as a capture; no vol, because a replay computes nothing."""
    folder = venue.folder / "capture"
    folder.mkdir()
    for name in ("contracts.csv", "makers.csv"):
        (folder / name).write_text((venue.folder / "names" / name).read_text())
    for name in ("phases", "underlying", "theo", "quotes"):
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, HEADS[name])
            writer.writeheader()
            writer.writerows(tables[name])
    return folder


def report_of(app: App, venue: Venue) -> bytes:
    """What the service judged, as the report of a replay."""
    final, engine = app.engine.evaluators[0].final, app.engine
    assert final is not None
    judging = Judging.of(load(str(venue.folder / "live.toml")), app.reference.contracts)
    counts = RecordCounts(
        engine.records.applied, app.stats.late, sum(app.stats.dead_letters.values()),
        app.stats.duplicates, engine.records.no_obligation,
    )  # fmt: skip
    return to_bytes(build_report([final], judging, (T, END), counts))


async def judged(venue: Venue) -> tuple[bytes, str]:
    """The report of a run of the service over the session, and its metrics."""
    theo = {"sources": ["vol", "surface"], "model": "bsm", "rate": "2%", "max_age": "8s",
            "expires_at": "15:00", "timezone": "Asia/Shanghai"}  # fmt: skip
    async with inside(
        venue, lambda: END + 30 * SECOND, theo=theo, breaches={"enabled": False},
        rulebooks={"names": ["live.toml"], "phases": "feed"}, tape={"start": "earliest", "lateness": "0s"},
    ) as app:  # fmt: skip
        await until(lambda: view_of(app).period_end is not None)
        return report_of(app, venue), app.prometheus.render().decode()


@pytest.mark.criterion("NUM-02")
async def test_a_replay_of_the_journal_decides_what_the_service_decided(
    venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = records()
    capture = write_capture(venue, tables)
    async with venue.open():
        await send(venue, tables)
        report, metrics = await judged(venue)
        looks = [entry for entry in venue.journal() if entry["entry"] == "theo"]
        sources = Counter((theo[0], theo[3], theo[4]) for entry in looks for theo in entry["theos"])
        # At 9.0, 8.0 after its last theo, C1 is computed, and withdrawn at 42.0.
        assert {(c, s, v) for c, s, v in sources if c == "C1"} == {
            ("C1", "surface", "bsm/1"), ("C1", "", ""),
        }  # fmt: skip
        of_c1 = [entry["ts"] for entry in looks if entry["theos"][-1][0] == "C1"]
        assert (of_c1[0], of_c1[-1]) == (T + 16 * SECOND, T + 46 * SECOND)
        assert sources["C0", "vol", "bsm/1"] == 11
        assert b"quoted_ns" in report
        assert 'mm_monitor_theo_fallbacks_total{source="surface"} 1.0' in metrics
        assert 'mm_monitor_theo_fallbacks_total{source="unknown"} 1.0' in metrics
        assert 'mm_monitor_theo_computed_total{source="vol"} 11.0' in metrics

        monkeypatch.setattr(cascade, "prices", None)  # whoever computes now, fails
        book = load(str(venue.folder / "live.toml"))
        done = await replay(capture, book, journal=venue.folder / "journal")
        assert to_bytes(done.report).decode() == report.decode()
        await take_kept(capture, venue.folder / "whole", venue.folder / "journal")
        done = await replay(venue.folder / "whole", book)
        assert to_bytes(done.report).decode() == report.decode()
        assert (await judged(venue))[0] == report
        assert [entry for entry in venue.journal() if entry["entry"] == "theo"] == looks
