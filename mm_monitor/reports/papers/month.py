"""The scorecards of a month as documents: one of all makers of a rulebook, and one of each maker.

Made of a month of `mm-monitor/month/1` and the hashes of the ledger's files; no day is replayed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from mm_monitor.reports.papers import charts
from mm_monitor.reports.papers.document import (
    Block,
    Column,
    Document,
    Facts,
    Heading,
    Table,
    Text,
)
from mm_monitor.reports.papers.words import LANGUAGES, Say, length, share, speaker

Month = Mapping[str, Any]
FROM_LEDGER = "Every number comes from the days of the ledger whose hashes are given above."


def overview(
    month: Month, inputs: Sequence[Mapping[str, Any]], engine: str, language: str
) -> Document:
    """All makers of a month under one rulebook."""
    say = speaker(language)
    rows = _worst_first(month["makers"])
    bars = [(r["maker"], _ratio(r["presence"]), r["verdict"]) for r in rows]
    blocks: list[Block] = [
        Facts([(say("Makers"), str(len(rows))), *_common(month, engine, say)]),
        *([charts.shares(say("Presence by maker"), bars, None, say)] if bars else []),
        Heading(say("Makers")),
        _makers(rows, say),
        *_ground(month, inputs, say),
    ]
    title = say("Scorecard of {month}", month=month["month"])
    return Document(title, month["rulebook"]["id"], LANGUAGES[language], blocks, engine)


def of_maker(
    month: Month, maker: str, inputs: Sequence[Mapping[str, Any]], engine: str, language: str
) -> Document:
    """One maker's month. KeyError for a maker that is not there."""
    say = speaker(language)
    row = {r["maker"]: r for r in month["makers"]}[maker]
    bars = [(c["class"], _ratio(c["presence"]), c["verdict"]) for c in _worst_first(row["classes"])]
    blocks: list[Block] = [
        Facts([*_verdict(row, say), *_common(month, engine, say)]),
        *([charts.shares(say("Presence by class"), bars, None, say)] if bars else []),
        Heading(say("Classes")),
        _classes(row["classes"], say),
        Heading(say("Breaches")),
        _kinds(row["breaches"], say),
        *_ground(month, inputs, say),
    ]
    title = say("Scorecard of {maker}", maker=maker)
    subtitle = f"{month['month']}, {month['rulebook']['id']}"
    return Document(title, subtitle, LANGUAGES[language], blocks, engine)


def _ratio(text: str | None) -> Fraction | None:
    return None if text is None else Fraction(text)


def _worst_first(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(rows, key=lambda r: (r["presence"] is None, Fraction(r["presence"] or 0)))


def _common(month: Month, engine: str, say: Say) -> Iterator[tuple[str, str]]:
    book = month["rulebook"]
    yield say("Judged by"), say(month["judged_by"])
    yield say("Trading dates"), str(len(month["days"]))
    yield say("Rulebook"), f"{book['id']}, {say('version {version}', version=book['version'])}"
    yield "SHA-256", book["sha256"]
    yield say("Engine"), engine


def _verdict(row: Mapping[str, Any], say: Say) -> Iterator[tuple[str, str]]:
    yield say("Verdict"), say(row["verdict"])
    yield say("Presence"), share(row["presence"])
    yield say("Weighted"), share(row["weighted_presence"])
    yield say("Mean of days"), share(row["mean_over_days"])
    yield say("Days passed"), _days(row)
    yield say("Unknown"), length(row["unknown_ns"])
    yield say("Exempt"), length(row["exempt_ns"])
    for way, verdict in row["verdicts"].items():
        yield say(way), say(verdict)


def _days(row: Mapping[str, Any]) -> str:
    days = row["days"]
    return f"{days['compliant']} / {sum(days.values()) - days['not_assessed']}"


def _makers(rows: Sequence[Mapping[str, Any]], say: Say) -> Table:
    columns = [Column(say("Maker")), Column(say("Verdict")), Column(say("Presence"), True),
               Column(say("Weighted"), True), Column(say("Mean of days"), True),
               Column(say("Days passed"), True), Column(say("Breaches"), True)]  # fmt: skip
    cells = [
        (r["maker"], say(r["verdict"]), share(r["presence"]), share(r["weighted_presence"]),
         share(r["mean_over_days"]), _days(r), str(sum(r["breaches"].values())))
        for r in rows
    ]  # fmt: skip
    return Table(columns, cells, say("No obligations."))


def _classes(rows: Sequence[Mapping[str, Any]], say: Say) -> Table:
    columns = [Column(say("Class")), Column(say("Verdict")), Column(say("Presence"), True),
               Column(say("Quoted"), True), Column(say("Required"), True),
               Column(say("Contracts passed"), True)]  # fmt: skip
    cells = [
        (r["class"], say(r["verdict"]), share(r["presence"]), length(r["quoted_ns"]),
         length(r["required_ns"]), f"{r['contracts_passed']} / {r['contracts_required']}")
        for r in rows
    ]  # fmt: skip
    return Table(columns, cells, say("No obligations."))


def _kinds(breaches: Mapping[str, int], say: Say) -> Table:
    cells = [(say(kind), str(count)) for kind, count in breaches.items()]
    return Table([Column(say("Kind")), Column(say("Breaches"), True)], cells, say("No breach."))


def _ground(month: Month, inputs: Sequence[Mapping[str, Any]], say: Say) -> Iterator[Block]:
    days = [(d["trading_date"], d["weight"], str(d["version"])) for d in month["days"]]
    files = [(f["file"], str(f["bytes"]), f["sha256"]) for f in inputs]
    yield Heading(say("Days"))
    columns = [Column(say("Date")), Column(say("Weight"), True), Column(say("Version"), True)]
    yield Table(columns, days, "-")
    yield Heading(say("Inputs"))
    yield Table([Column(say("File")), Column(say("Bytes"), True), Column("SHA-256")], files, "-")
    yield Text(say(FROM_LEDGER))
