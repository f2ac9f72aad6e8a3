"""Small captures written in the test itself, judged through the real door, read back in few words.

Unless a test says otherwise: one contract C0 of class K0 with tick 0.0001, one maker M0, continuous trading over
[1000, 2000) ns, 90 % required. So 1 ns is 0.1 % of the obliged time, and sums can be done in the head.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from tests.acceptance.judging import replayed

HEADERS = {
    "contracts": "contract,class,tick",
    "makers": "maker,class",
    "quotes": "ts_event,maker,contract,bid_price,bid_size,ask_price,ask_size",
    "theo": "ts_event,contract,theo",
    "phases": "ts_event,scope,phase",
    "exemptions": "ts_event,scope,maker,kind,action",
    "feed": "ts_event,scope,maker,status",
    "stress": "ts_event,scope,action",
    "rfqs": "ts_event,rfq_id,contract,makers",
    "fills": "ts_event,maker,contract,side,price,size",
    "positions": "ts_event,maker,class,net_delta,limit",
    "sessions": "ts_event,maker,account,status",
    "rejects": "ts_event,maker,reason",
    "underlying": "ts_event,class,price,bid_price,ask_price",
    "reference": "ts_event,table,action,contract,class,tick,maker,rulebook",
}
ONE_SESSION = ("1000,*,continuous", "2000,*,closed")
NINETY = 'required = "90%"'
THREE_PERCENT = '[spread]\nterms = [{ relative = "3%", of = "theo" }, { ticks = 1 }]\n'


class Times(NamedTuple):
    """What the obliged time of an obligation was, in ns."""

    quoted: int = 0
    lapsed: int = 0
    exempt: int = 0
    unknown: int = 0


class Found(NamedTuple):
    """A breach without its id."""

    kind: str
    maker: str
    contract: str
    start: int
    end: int


@dataclass(frozen=True)
class Report:
    """A report with its details, and the few questions that tests ask of them."""

    raw: dict[str, Any]
    details: dict[str, Any] = field(default_factory=dict)

    def row(self, maker: str = "M0", contract: str = "C0") -> dict[str, Any]:
        """The row of an obligation."""
        rows = self.raw["obligations"]
        found: dict[str, Any] = next(
            r for r in rows if (r["maker"], r["contract"]) == (maker, contract)
        )
        return found

    def times(self, maker: str = "M0", contract: str = "C0") -> Times:
        """The four sums of an obligation."""
        row = self.row(maker, contract)
        return Times(*(row[f"{name}_ns"] for name in Times._fields))

    def reasons(self, maker: str = "M0", contract: str = "C0") -> dict[str, int]:
        """Lapsed time by primary reason, without the reasons that never were."""
        by_reason = self.row(maker, contract)["lapsed_by_reason_ns"]
        return {reason: ns for reason, ns in by_reason.items() if ns}

    def maker(self, name: str = "M0") -> dict[str, Any]:
        """The row of a maker."""
        found: dict[str, Any] = next(r for r in self.raw["makers"] if r["maker"] == name)
        return found

    def detail(self, maker: str = "M0", contract: str = "C0") -> dict[str, Any]:
        """The details of an obligation."""
        rows = self.details["obligations"]
        found: dict[str, Any] = next(
            r for r in rows if (r["maker"], r["contract"]) == (maker, contract)
        )
        return found

    def maker_detail(self, name: str = "M0") -> dict[str, Any]:
        """The details of a maker."""
        found: dict[str, Any] = next(r for r in self.details["makers"] if r["maker"] == name)
        return found

    def signal(self, name: str, maker: str = "M0") -> dict[str, Any]:
        """A signal: its numbers, and whether it was raised."""
        found: dict[str, Any] = next(
            one for one in self.maker_detail(maker)["signals"] if one["name"] == name
        )
        return {**found["numbers"], "raised": found["raised"]}

    def hole(self, contract: str = "C0") -> int:
        """The market hole of a contract."""
        holes: dict[str, int] = {r["contract"]: r["market_hole_ns"] for r in self.raw["contracts"]}
        return holes[contract]

    def breaches(self, *kinds: str) -> list[Found]:
        """The breaches of these kinds, or all, in the order of the report."""
        found = [Found(*(b[key] for key in Found._fields)) for b in self.raw["breaches"]]
        return [b for b in found if not kinds or b.kind in kinds]

    @property
    def records(self) -> dict[str, int]:
        """The counts that are not zero."""
        return {name: count for name, count in self.raw["records"].items() if count}


def write(directory: Path, name: str, lines: Sequence[str], header: str = "") -> None:
    """A table of a capture."""
    text = "\n".join([header or HEADERS[name], *lines]) + "\n"
    (directory / f"{name}.csv").write_text(text, encoding="utf-8")


def rulebook(directory: Path, rules: str = "", presence: str = NINETY) -> Path:
    """A rulebook file of these tables, with `[presence]` first."""
    path = directory / "rulebook.toml"
    head = 'id = "hand"\nversion = 1\nsource = "made up"\n'
    path.write_text(f"{head}[presence]\n{presence}\n{rules}", encoding="utf-8")
    return path


def judge(
    directory: Path, rules: str = "", *, presence: str = NINETY, watch: bool = False,
    headers: Mapping[str, str] = MappingProxyType({}), **tables: Sequence[str],
) -> Report:  # fmt: skip
    """Write a capture of `tables` (csv lines without their header), judge it by `rules`, report.

    With `watch` the details have signals; `headers` has the columns of tables that need others than usual.
    """
    given: dict[str, Sequence[str]] = {
        "contracts": ["C0,K0,0.0001"], "makers": ["M0,*"], "quotes": [], "phases": ONE_SESSION,
    }  # fmt: skip
    for name, lines in (given | tables).items():
        write(directory, name, lines, headers.get(name, ""))
    done = replayed(directory, rulebook(directory, rules, presence), watch=watch)
    return Report(done.report, done.details)


def quote(
    ts: int, bid: str = "1.0000", ask: str = "1.0001", bid_size: int = 10, ask_size: int = 10,
    maker: str = "M0", contract: str = "C0",
) -> str:  # fmt: skip
    """A line of quotes.csv; a side with the price "" is absent."""
    sizes = (bid_size if bid else 0, ask_size if ask else 0)
    return f"{ts},{maker},{contract},{bid},{sizes[0]},{ask},{sizes[1]}"


def gone(ts: int, maker: str = "M0", contract: str = "C0") -> str:
    """A withdrawal of both sides."""
    return quote(ts, "", "", maker=maker, contract=contract)
