"""The scorecards of a judged period as documents: one of all makers, and one of each.

Made of a scorecard object alone (`reports/scorecard.py`), worst first.
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
from mm_monitor.reports.papers.words import LANGUAGES, Say, instant, length, share, speaker

Card = Mapping[str, Any]
Rows = Sequence[Mapping[str, Any]]
MOST_LAPSES = 500
REPLAYED = "The same inputs and rulebook give these bytes again: mm-monitor report day CAPTURE --rulebook FILE."
CUT = (
    "Lengths of a second or more are cut to milliseconds; the csv and json files have every digit."
)


def overview(card: Card, language: str = "en") -> Document:
    """All makers on one scorecard."""
    say = speaker(language)
    blocks: list[Block] = [
        Facts([(say("Makers"), str(len(card["makers"]))), *_common(card, say)]),
        *_shares(say("Presence by maker"), card["makers"], "maker", card, say),
        *_lapsed(card, card["lapses"], card["obligations"], say),
        Heading(say("Makers")),
        _makers(card["makers"], say),
        *_breaches(card["breaches"], card, say),
        *_holes(card, say),
        *_exemptions(card["exemptions"], card, say),
        *_ground(card, say),
    ]
    return _document(say("Scorecard of all makers"), card, blocks, language)


def of_maker(card: Card, maker: str, language: str = "en") -> Document:
    """One maker's scorecard: nothing of another's is on it. KeyError for a maker that is not there."""
    say = speaker(language)
    row = {r["maker"]: r for r in card["makers"]}[maker]
    mine = {
        name: [r for r in card[name] if r["maker"] == maker]
        for name in ("obligations", "lapses", "breaches", "classes")
    }
    exemptions = [e for e in card["exemptions"] if e["maker"] in ("*", maker)]
    blocks: list[Block] = [
        Facts([*_verdict(row, mine["breaches"], card, say), *_common(card, say)]),
        *_shares(say("Presence by class"), mine["classes"], "class", card, say),
        *_reasons(row["lapsed_by_reason_ns"], say),
        *_lapsed(card, mine["lapses"], mine["obligations"], say),
        Heading(say("Obligations")),
        _obligations(mine["obligations"], say),
        *_breaches(mine["breaches"], card, say),
        Heading(say("Lapses")),
        _lapses(mine["lapses"], card, say),
        *_exemptions(exemptions, card, say),
        *_ground(card, say),
    ]
    return _document(say("Scorecard of {maker}", maker=maker), card, blocks, language)


def _document(title: str, card: Card, blocks: Sequence[Block], language: str) -> Document:
    say, book = speaker(language), card["rulebook"]
    span = _span(card)
    footer = say("by {engine} from inputs whose hashes are inside", engine=card["engine"])
    return Document(
        title, f"{span}, {book['title'] or book['id']}", LANGUAGES[language], blocks, footer
    )


def _span(card: Card) -> str:
    dates = card["trading_dates"]
    if dates:
        return str(dates[0]) if len(dates) == 1 else f"{dates[0]} – {dates[-1]}"
    return instant(card["period"]["start"], card["rulebook"]["timezone"])[:10]


def _verdict(
    row: Mapping[str, Any], breaches: Rows, card: Card, say: Say
) -> Iterator[tuple[str, str]]:
    required = share(card["required"]) if card["required"] else say("no requirement")
    yield say("Verdict"), say(row["verdict"])
    presence = share(row["presence"])
    yield (
        say("Presence"),
        say("{presence} of {required} required", presence=presence, required=required),
    )
    counts = {"passed": row["contracts_passed"], "required": row["contracts_required"]}
    yield (
        say("Coverage"),
        f"{share(row['coverage'])}, {say('{passed} of {required} contracts pass', **counts)}",
    )
    longest = length(row["longest_lapse_ns"])
    yield say("Lapses"), say("{count}, the longest {longest}", count=row["lapses"], longest=longest)
    open_ = sum(b["end"] is None for b in breaches)
    told = say("{count}, {open} of them open at the end", count=len(breaches), open=open_)
    yield say("Breaches"), told


def _common(card: Card, say: Say) -> Iterator[tuple[str, str]]:
    book, period = card["rulebook"], card["period"]
    zone = book["timezone"]
    yield say("Judged by"), say(card["judged_by"])
    yield say("Period"), f"{instant(period['start'], zone)} – {instant(period['end'], zone)} {zone}"
    yield say("Rulebook"), f"{book['id']}, {say('version {version}', version=book['version'])}"
    yield "SHA-256", book["sha256"]
    yield say("Engine"), card["engine"]


def _shares(title: str, rows: Rows, name: str, card: Card, say: Say) -> Iterator[Block]:
    bars = [(r[name], _ratio(r["presence"]), r["verdict"]) for r in _worst_first(rows)]
    if bars:
        yield charts.shares(title, bars, _ratio(card["required"]), say)


def _ratio(text: str | None) -> Fraction | None:
    return None if text is None else Fraction(text)


def _worst_first(rows: Rows) -> list[Mapping[str, Any]]:
    return sorted(rows, key=lambda r: (r["presence"] is None, Fraction(r["presence"] or 0)))


def _reasons(times: Mapping[str, int], say: Say) -> Iterator[Block]:
    some = sorted(((say(name), ns) for name, ns in times.items() if ns), key=lambda one: -one[1])
    if some:
        yield charts.reasons(say("Lapsed time by reason"), some)


def _lapsed(card: Card, lapses: Rows, obligations: Rows, say: Say) -> Iterator[Block]:
    spans = [(a, b) for lapse in lapses for a, b in lapse["spans"]]
    period = card["period"]
    if spans:
        words = say(
            "most at once {most}, of {all} obligations", most=_most(spans), all=len(obligations)
        )
        yield charts.lapsed(
            f"{say('Obligations lapsed over the period')} ({words})", spans,
            (period["start"], period["end"]), card["rulebook"]["timezone"], words,
        )  # fmt: skip


def _most(spans: Sequence[tuple[int, int]]) -> int:
    """The most spans that overlap at one instant."""
    edges = sorted([(b, -1) for _, b in spans] + [(a, 1) for a, _ in spans])
    most = now = 0
    for _, step in edges:
        now += step
        most = max(most, now)
    return most


def _makers(rows: Rows, say: Say) -> Table:
    columns = [Column(say("Maker")), Column(say("Verdict")), Column(say("Presence"), True),
               Column(say("Coverage"), True), Column(say("Contracts passed"), True),
               Column(say("Lapses"), True), Column(say("Longest"), True),
               Column(say("Mostly for")), Column(say("Breaches"), True)]  # fmt: skip
    cells = [
        (r["maker"], say(r["verdict"]), share(r["presence"]), share(r["coverage"]),
         f"{r['contracts_passed']} / {r['contracts_required']}", str(r["lapses"]),
         length(r["longest_lapse_ns"]), _mostly(r["lapsed_by_reason_ns"], say), str(r["breaches"]))
        for r in _worst_first(rows)
    ]  # fmt: skip
    return Table(columns, cells, say("No obligations."))


def _mostly(times: Mapping[str, int], say: Say) -> str:
    most = max(times, key=lambda name: times[name])
    return say(most) if times[most] else "-"


def _obligations(rows: Rows, say: Say) -> Table:
    numbers = ("Presence", "Quoted", "Lapsed", "Unknown", "Exempt", "Slack", "Lapses")
    columns = [Column(say("Contract")), Column(say("Class")), Column(say("Verdict")),
               *(Column(say(name), True) for name in numbers), Column(say("Mostly for"))]  # fmt: skip
    cells = [
        (r["contract"], r["class"], say(r["verdict"]), share(r["presence"]),
         *(length(r[f"{name}_ns"]) for name in ("quoted", "lapsed", "unknown", "exempt", "slack")),
         str(r["lapses"]), _mostly(r["lapsed_by_reason_ns"], say))
        for r in _worst_first(rows)
    ]  # fmt: skip
    return Table(columns, cells, say("No obligations."))


def _lapses(rows: Rows, card: Card, say: Say) -> Table:
    zone = card["rulebook"]["timezone"]
    longest = sorted(rows, key=lambda r: (-_counted(r), r["start"], r["contract"]))
    shown = sorted(longest[:MOST_LAPSES], key=lambda r: (r["start"], r["contract"]))
    columns = [Column(say("Start")), Column(say("End")), Column(say("Counted"), True),
               Column(say("Contract")), Column(say("Reason")), Column(say("Failed by"))]  # fmt: skip
    cells = [
        (instant(r["start"], zone), instant(r["end"], zone), length(r["counted_ns"]),
         r["contract"], say(r["reason"]), r["failed_by"])
        for r in shown
    ]  # fmt: skip
    note = say(
        "Counted is the obliged time of a lapse: breaks and exempt time inside it do not count."
    )
    if len(shown) < len(rows):
        cut = say("The {shown} longest of {all}; all of them are in lapses.csv.",
                  shown=len(shown), all=len(rows))  # fmt: skip
        note = f"{cut} {note}"
    return Table(columns, cells, say("No lapse."), note)


def _counted(row: Mapping[str, Any]) -> int:
    counted = row["counted_ns"]
    return int(row["end"] - row["start"] if counted is None else counted)


def _breaches(rows: Rows, card: Card, say: Say) -> Iterator[Block]:
    zone = card["rulebook"]["timezone"]
    columns = [Column(say("Start")), Column(say("End")), Column(say("Kind")), Column(say("Maker")),
               Column(say("Contract")), Column(say("Reason")), Column(say("Id"))]  # fmt: skip
    cells = [
        (instant(r["start"], zone), instant(r["end"], zone) if r["end"] is not None else say("still on"),
         say(r["kind"]), r["maker"] or "-", r["contract"] or "-",
         say(r["reason"]) if r["reason"] else "-", r["id"])
        for r in rows
    ]  # fmt: skip
    yield Heading(say("Breaches"))
    yield Table(columns, cells, say("No breach."))


def _holes(card: Card, say: Say) -> Iterator[Block]:
    rows = [r for r in card["contracts"] if r["market_hole_ns"]]
    rows.sort(key=lambda r: (-r["market_hole_ns"], r["contract"]))
    cells = [(r["contract"], length(r["market_hole_ns"])) for r in rows[:50]]
    yield Heading(say("Market holes"))
    yield Table([Column(say("Contract")), Column(say("Time"), True)], cells, say("No market hole."))


def _exemptions(rows: Rows, card: Card, say: Say) -> Iterator[Block]:
    zone = card["rulebook"]["timezone"]
    names = ("Start", "End", "Kind", "Effect", "Scope", "Maker")
    cells = [
        (instant(r["start"], zone), say("never ended") if r["end"] is None else instant(r["end"], zone),
         r["kind"], say(r["effect"]), r["scope"], say("all makers") if r["maker"] == "*" else r["maker"])
        for r in rows
    ]  # fmt: skip
    yield Heading(say("Exemptions"))
    yield Table([Column(say(name)) for name in names], cells, say("No exemption."))


def _ground(card: Card, say: Say) -> Iterator[Block]:
    """What the numbers stand on: rules, inputs, records, and how to get the numbers again."""
    yield Heading(say("What it was judged by"))
    yield Text(say("The rules in words; the file with this SHA-256 decides."))
    yield Table(
        [Column(say("Rulebook"))], [(line,) for line in card["rulebook"]["words"] if line], ""
    )
    yield Heading(say("Inputs"))
    files = [(f["file"], str(f["bytes"]), f["sha256"]) for f in card["inputs"]]
    yield Table([Column(say("File")), Column(say("Bytes"), True), Column("SHA-256")], files, "-")
    yield Heading(say("Records"))
    yield Facts([(say(name), str(count)) for name, count in card["records"].items()])
    yield Heading(say("How to check this"))
    yield Text(say(REPLAYED))
    yield Text(say(CUT))
