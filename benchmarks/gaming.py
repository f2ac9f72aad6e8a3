"""The table of docs/gaming.md: what a sampler at whole minutes scores each strategy, beside what is true.

`python -m benchmarks.gaming` writes the table into the page. The sampler is the weak monitor that the strategies game:
once a minute it looks whether both sides stand within the spread limit, and believes all that it is told.
"""

from __future__ import annotations

import asyncio
import csv
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from decimal import ROUND_DOWN, Decimal
from pathlib import Path
from typing import Any

from mm_monitor.replay import replay
from mm_monitor.rulebooks import load
from mm_monitor.simulator.games import STRATEGIES, Stage, chosen, perform, write_games
from mm_monitor.simulator.games.catalogue import Strategy

PAGE = Path(__file__).parents[1] / "docs" / "gaming.md"
BEGIN, END = "<!-- table -->\n", "<!-- end of table -->\n"
MINUTE = 60 * 10**9
TICK = Decimal("0.0001")
HEAD = (
    "| strategy | what the maker does | sampler | presence | verdict | lapsed by | rule | signals raised | needs |\n"
    "|---|---|---|---|---|---|---|---|---|\n"
)

Row = dict[str, str]
Standing = tuple[Decimal, Decimal] | None
Spot = tuple[str, str]  # who quotes (a maker or an account), contract


def lines(directory: Path, name: str) -> list[Row]:
    """The lines of a table in the order of their times; none where there is no such table."""
    path = directory / f"{name}.csv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8") as file:
        return sorted(csv.DictReader(file), key=lambda row: int(row.get("ts_event", 0)))


def looks(directory: Path) -> Iterator[int]:
    """Whole minutes of continuous trading."""
    since = None
    for row in lines(directory, "phases"):
        ts = int(row["ts_event"])
        if since is not None:
            yield from range(-(-since // MINUTE) * MINUTE, ts, MINUTE)
        since = ts if row["phase"] == "continuous" else None


class Sampler:
    """Scores by (who quotes, contract): how often it looked, and how often a quote was there."""

    def __init__(self, directory: Path) -> None:
        self.looked: dict[Spot, int] = defaultdict(int)
        self.there: dict[Spot, int] = defaultdict(int)
        self._quotes: dict[Spot, Standing] = {}
        self._theo: dict[str, Decimal] = {}
        self._excused: set[tuple[str, str]] = set()  # scope, maker
        self._class = {row["contract"]: row["class"] for row in lines(directory, "contracts")}
        self._accounts = {row["account"]: row["maker"] for row in lines(directory, "accounts")}
        self._owed = self._obligations(directory)
        tape = [
            (int(row["ts_event"]), i, row)
            for i, name in enumerate(("exemptions", "theo", "quotes"))
            for row in lines(directory, name)
        ]
        tape.sort(key=lambda record: record[:2])
        at = 0
        for ts in looks(directory):
            while at < len(tape) and tape[at][0] <= ts:
                self._hear(tape[at][2])
                at += 1
            self._look()

    def _obligations(self, directory: Path) -> list[Spot]:
        makers = lines(directory, "makers")
        names = [(row["maker"], row["maker"], row["class"]) for row in makers]
        names += [
            (account, maker, row["class"])
            for account, maker in self._accounts.items()
            for row in makers
            if row["maker"] == maker
        ]
        split = set(self._accounts.values())
        return [
            (who, contract)
            for who, maker, klass in names
            for contract, its in self._class.items()
            if its == klass and (who != maker or maker not in split)
        ]

    def _hear(self, row: Row) -> None:
        if "kind" in row:
            key = (row["scope"], row["maker"])
            (self._excused.add if row["action"] == "start" else self._excused.discard)(key)
        elif "theo" in row:
            self._theo[row["contract"]] = Decimal(row["theo"])
        else:
            self._hear_quote(row)

    def _hear_quote(self, row: Row) -> None:
        """A line that makes no sense changes nothing."""
        bid, ask = row["bid_price"], row["ask_price"]
        sizes = int(row["bid_size"]), int(row["ask_size"])
        if min(sizes) < 0 or (sizes[0] > 0 and not bid) or (bid and Decimal(bid) <= 0):
            return
        there = bid and ask and max(Decimal(bid), Decimal(ask)) < 10**9
        if there:
            self._quotes[row["maker"], row["contract"]] = Decimal(bid), Decimal(ask)
        elif not bid and not ask:
            self._quotes[row["maker"], row["contract"]] = None

    def _look(self) -> None:
        for who, contract in self._owed:
            maker, klass = self._accounts.get(who, who), self._class[contract]
            if {(klass, maker), ("EVERYTHING", maker)} & self._excused:
                continue
            self.looked[who, contract] += 1
            quote = self._quotes.get((who, contract))
            if quote is not None:
                limit = max(self._theo[contract] * 3 / 100, TICK)
                self.there[who, contract] += quote[1] - quote[0] <= limit

    def score(self, maker: str) -> Decimal:
        """Percent of the looks; accounts are scored each by itself and added up."""
        total = Decimal(0)
        for who in [maker, *(a for a, m in self._accounts.items() if m == maker)]:
            looked = sum(n for (name, _), n in self.looked.items() if name == who)
            there = sum(n for (name, _), n in self.there.items() if name == who)
            total += Decimal(100 * there) / looked if looked else 0
        return total


def judge(strategies: list[Strategy], minutes: int = 20) -> dict[str, str]:
    """The line of the table for each strategy."""
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        write_games(perform(strategies, Stage(minutes=minutes)), directory)
        done = asyncio.run(replay(directory, load(str(directory / "rulebook.toml")), watch=True))
        sampler = Sampler(directory)
    return {one.name: _line(one, sampler, done.report, done.details) for one in strategies}


def _line(one: Strategy, sampler: Sampler, report: Any, details: Any) -> str:
    row = next(row for row in report["makers"] if row["maker"] == one.name)
    mine = next(row for row in details["makers"] if row["maker"] == one.name)
    raised = [f"`{signal['name']}`" for signal in mine["signals"] if signal["raised"]]
    cells = (
        f"`{one.name}`",
        one.what,
        _percent(sampler.score(one.name)),
        _percent(100 * Decimal(row["presence"])),
        row["verdict"],
        _lapsed_by(one, report) or "-",
        f"`{one.rule}`" if one.rule else "allowed" if one.verdict == "compliant" else "-",
        " ".join(sorted(raised)) or "-",
        ", ".join(one.needs) or "-",
    )
    return "| " + " | ".join(cells) + " |\n"


def _lapsed_by(one: Strategy, report: Any) -> str:
    """The primary reasons of the lapsed time, the longest first, without those of less than a hundredth of it."""
    reasons: dict[str, int] = defaultdict(int)
    for row in report["obligations"]:
        if row["maker"] == one.name:
            for reason, ns in row["lapsed_by_reason_ns"].items():
                reasons[reason] += ns
    whole = sum(reasons.values())
    worth = [reason for reason, ns in reasons.items() if ns and ns * 100 >= whole]
    most = sorted(worth, key=lambda reason: -reasons[reason])
    return " ".join(f"`{reason}`" for reason in most)


def _percent(value: Decimal) -> str:
    """Two digits, cut."""
    return f"{value.quantize(Decimal('0.01'), ROUND_DOWN)} %"


def main() -> None:
    """Write the table into the page."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    table = HEAD + "".join(judge(chosen("all")).values())
    PAGE.write_text(f"{before}{BEGIN}{table}{END}{after}", encoding="utf-8")
    print(f"{PAGE.name}: {len(STRATEGIES)} strategies")


if __name__ == "__main__":
    main()
