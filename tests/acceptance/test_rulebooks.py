"""Every shipped rulebook has a golden day, computed by hand here: what its numbers mean, in one place.

Unless a rulebook has a calendar, continuous trading is [0, 1000) s, so 1 s is 0.1 % of the obliged time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mm_monitor.replay import replay
from mm_monitor.rulebooks import lint, load, names
from tests.acceptance.captures import Report, gone, quote, write

S = 1_000_000_000
SESSION = ("0,*,continuous", f"{1000 * S},*,closed")
CONTRACTS = "contract,class,tick,kind,strike,expiry,multiplier,flags"


def day(
    directory: Path, rulebook: str, *, contracts: Sequence[str], makers: Sequence[str] = ("M0,*",),
    phases: Sequence[str] = SESSION, headers: Mapping[str, str] | None = None, **tables: Sequence[str],
) -> Report:  # fmt: skip
    """Judge a capture by a shipped rulebook."""
    headers = headers or {}
    write(directory, "contracts", contracts, CONTRACTS)
    write(directory, "makers", makers)
    if phases:
        write(directory, "phases", phases)
    tables = {"quotes": []} | tables
    for name, lines in tables.items():
        write(directory, name, lines, headers.get(name, ""))
    return Report(asyncio.run(replay(directory, load(rulebook))).report)


def verdicts(report: Report) -> dict[str, str]:
    return {row["maker"]: row["verdict"] for row in report.raw["makers"]}


def stands(
    maker: str, contract: str, bid: str, ask: str, start: int = 0, end: int = 0, size: int = 10
) -> list[str]:
    """A quote that stands from `start` to `end` (ns), 0 = for ever."""
    lines = [quote(start, bid, ask, size, size, maker, contract)]
    return lines + ([gone(end, maker, contract)] if end else [])


def series(n: int, klass: str = "K0") -> list[str]:
    """`n` calls of one class without expiry."""
    return [f"C{i:03},{klass},0.01,call,,,," for i in range(n)]


def test_every_shipped_rulebook_names_its_sources_and_has_a_golden_day() -> None:
    tests = " ".join(name for name in globals() if name.startswith("test_"))
    for name in names():
        book = load(name)
        assert book.source, name
        assert not book.verified, "a person must have read the official text"
        assert name == "all-keys-example" or name.replace("-", "_") in tests


# What the lint calls impossible is so in the venue's own text.
KNOWN = {
    "all-keys-example": {"spread.terms[4].table"},  # an illustration of cells, with a gap
    "hkex-stock-options": {"spread.terms[0]"},  # 10 % of a small bid is less than a tick
    "twse-mm": {"spread.terms[0]"},  # 3 % of an ask under 0.34 is less than a tick of 0.01
    "vega-sla": {"spread.terms[0]"},  # 0.1 % of a mid under 10 ticks
}


@pytest.mark.parametrize("name", names())
def test_the_lint_finds_in_shipped_rulebooks_what_is_known(name: str) -> None:
    wrong = {finding.path for finding in lint(load(name)) if finding.level == "error"}
    assert wrong == KNOWN.get(name, set())


def test_szse_2025(tmp_path: Path) -> None:
    """14 220 s a day, a budget of 1 422 s, 3 % of theo or one tick."""
    opening = int(datetime(2025, 8, 1, 1, 30, tzinfo=UTC).timestamp()) * S  # 09:30 in Shanghai
    ten = opening + 1800 * S
    report = day(
        tmp_path, "szse-2025", contracts=["C0,K0,0.0001,call,,,,"], makers=["A,*", "B,*", "W,*"], phases=(),
        theo=[f"{opening},C0,1.0000"],
        quotes=[
            *stands("A", "C0", "0.9850", "1.0150", opening, ten),
            quote(ten + 1422 * S, "0.9850", "1.0150", maker="A", contract="C0"),
            *stands("B", "C0", "0.9850", "1.0150", opening, ten),
            quote(ten + 1422 * S + 1, "0.9850", "1.0150", maker="B", contract="C0"),
            *stands("W", "C0", "0.9850", "1.0151", opening),
        ],
    )  # fmt: skip
    assert verdicts(report) == {"A": "compliant", "B": "breached", "W": "breached"}
    assert report.times("A", "C0") == (12_798 * S, 1_422 * S, 0, 0)
    assert report.reasons("W", "C0") == {"spread": 14_220 * S}


def test_hkex_stock_options(tmp_path: Path) -> None:
    """50 series of a class for half the time; at most 10 % of the bid and 3 times the underlying's spread."""
    names_of = [f"C{i:03}" for i in range(60)]
    report = day(
        tmp_path, "hkex-stock-options", contracts=series(60), makers=["A,*", "B,*", "W,*"],
        underlying=["0,K0,100.05,100.00,100.10"], headers={"underlying": "ts_event,class,price,bid_price,ask_price"},
        quotes=[
            *(line for c in names_of[:50] for line in stands("A", c, "2.00", "2.20", 0, 500 * S)),
            *(line for c in names_of[:49] for line in stands("B", c, "2.00", "2.20", 0, 500 * S)),
            *stands("W", "C000", "2.00", "2.21"),  # 10 % of 2.00 is 0.20, less than 3 x 0.10
            *stands("W", "C001", "5.00", "5.30"),  # 3 x 0.10 is less than 10 % of 5.00
            *stands("W", "C002", "5.00", "5.31"),
        ],
    )  # fmt: skip
    assert verdicts(report) == {"A": "compliant", "B": "breached", "W": "breached"}
    assert report.reasons("W", "C000") == {"spread": 1000 * S}
    assert report.times("W", "C001").quoted == 1000 * S
    assert report.reasons("W", "C002") == {"spread": 1000 * S}


def test_hkex_stock_options_requests(tmp_path: Path) -> None:
    """Half of the requests within 20 s, for 20 s."""
    report = day(
        tmp_path, "hkex-stock-options", contracts=series(1), makers=["A,*", "B,*"],
        underlying=["0,K0,100.05,100.00,100.10"], headers={"underlying": "ts_event,class,price,bid_price,ask_price"},
        rfqs=[f"{100 * S},R1,C000,", f"{200 * S},R2,C000,"],
        quotes=[
            *stands("A", "C000", "2.00", "2.20", 120 * S, 140 * S),  # after 20 s, for 20 s
            *stands("B", "C000", "2.00", "2.20", 120 * S, 140 * S - 1),
            *stands("B", "C000", "2.00", "2.20", 220 * S + 1, 300 * S),
        ],
    )  # fmt: skip
    assert [(b.maker, b.start) for b in report.breaches("rfq")] == [("B", 1000 * S)]


def test_hkex_index_pmm(tmp_path: Path) -> None:
    """100 of a pool of 238 series for 90 %, with 7 contracts in the four nearest months and 5 in the others."""
    expiries = [f"2025-{month:02}-28" for month in range(1, 9)]  # the eighth is not in the pool
    listed = [
        f"{kind}{month}-{strike},K0,1,{kind},{strike},{expiry},,"
        for month, expiry in enumerate(expiries)
        for strike in range(100, 140)
        for kind in ("call", "put")
    ]
    # Spot 120.5: calls from 121 and puts up to 120 are out of the money.
    pool = [f"call{m}-{k}" for m in range(7) for k in range(119, 136)]
    pool += [f"put{m}-{k}" for m in range(7) for k in range(106, 123)]
    far = [c for c in pool if int(c.split("-")[0][-1]) >= 4][:50]
    near = [c for c in pool if int(c.split("-")[0][-1]) < 4][:50]
    start = int(datetime(2025, 1, 2, tzinfo=UTC).timestamp()) * S
    end = start + 1000 * S
    outside = [f"call7-{k}" for k in range(110, 130)]
    report = day(
        tmp_path, "hkex-index-pmm", contracts=listed, makers=["A,*", "B,*", "C,*", "D,*"],
        phases=(f"{start},*,continuous", f"{end},*,closed"), underlying=[f"{start},K0,120.5"],
        headers={"underlying": "ts_event,class,price"},
        quotes=[
            *(line for c in near for line in stands("A", c, "10", "12", start, end - 100 * S, 7)),
            *(line for c in far for line in stands("A", c, "10", "12", start, end - 100 * S, 5)),
            *(line for c in [*near, *far[1:], *outside] for line in stands("B", c, "10", "12", start, 0, 7)),
            *(line for c in [*near, *far] for line in stands("C", c, "10", "12", start, 0, 4)),
            *(line for c in [*near, *far] for line in stands("D", c, "10", "12", start, 0, 6)),
        ],
    )  # fmt: skip
    assert verdicts(report) == {"A": "compliant", "B": "breached", "C": "breached", "D": "breached"}
    assert report.maker("A")["contracts_required"] == 238
    assert report.maker("A")["contracts_passed"] == 100
    assert report.maker("B")["contracts_passed"] == 99
    assert report.maker("C")["contracts_passed"] == 0
    assert report.maker("D")["contracts_passed"] == 50  # 6 are enough in the three far months alone
    assert report.reasons("D", near[0]) == {"size": 1000 * S}
    assert report.records["no_obligation"] == 20


def test_eurex_basis(tmp_path: Path) -> None:
    """85 % of the required time."""
    report = day(
        tmp_path, "eurex-basis", contracts=series(1), makers=["A,*", "B,*"],
        quotes=[*stands("A", "C000", "2.00", "9.00", 0, 850 * S), *stands("B", "C000", "2.00", "9.00", 0, 850 * S - 1)],
    )  # fmt: skip
    assert verdicts(report) == {"A": "compliant", "B": "breached"}


def test_mifid2_rts8(tmp_path: Path) -> None:
    """Half of continuous trading, sizes within 50 % of each other; exceptional circumstances do not count."""
    report = day(
        tmp_path, "mifid2-rts8", contracts=series(1), makers=["A,*", "B,*"],
        exemptions=[f"{600 * S},*,*,war,start", f"{700 * S},*,*,war,end"],
        quotes=[
            quote(0, "2.00", "9.00", 10, 15, "A", "C000"),
            gone(450 * S, "A", "C000"),  # of 900 s
            quote(0, "2.00", "9.00", 10, 16, "B", "C000"),
        ],
    )  # fmt: skip
    assert verdicts(report) == {"A": "compliant", "B": "breached"}
    assert report.times("A", "C000") == (450 * S, 450 * S, 100 * S, 0)
    assert report.reasons("B", "C000") == {"unequal": 900 * S}


US = ("NEAR,K0,0.01,call,100,2025-06-20,,", "FAR,K0,0.01,call,100,2026-01-02,,", "LAST,K0,0.01,call,100,2025-10-01,,",
      "QTR,K0,0.01,call,100,2025-06-30,,quarterly", "ADJ,K0,0.01,call,100,2025-06-20,,adjusted")  # fmt: skip
JAN = int(datetime(2025, 1, 2, 14, 30, tzinfo=UTC).timestamp()) * S
US_SESSION = (f"{JAN},*,continuous", f"{JAN + 1000 * S},*,closed")


@pytest.mark.parametrize(
    ("name", "verdict"), [("nasdaq-options-mm", "compliant"), ("nasdaq-options-lmm", "breached")]
)
def test_nasdaq_options_mm_and_nasdaq_options_lmm(tmp_path: Path, name: str, verdict: str) -> None:
    """60 or 90 % of the cumulative seconds of series under nine months, 5.00 wide, accounts together."""
    report = day(
        tmp_path, name, contracts=US, makers=["A,*"], phases=US_SESSION,
        accounts=["A1,A", "A2,A"], headers={"accounts": "account,maker"},
        quotes=[
            quote(JAN, "2.00", "", 5, 0, "A1", "NEAR"),  # a side each: one quote of the member
            quote(JAN, "", "7.00", 0, 5, "A2", "NEAR"),
            *stands("A1", "LAST", "2.00", "7.00", JAN, JAN + 200 * S),
            *stands("A2", "LAST", "2.00", "7.01", JAN + 300 * S),
        ],
    )  # fmt: skip
    assert verdicts(report) == {"A": verdict}
    assert report.maker("A")["required_ns"] == 2000 * S  # NEAR and LAST; FAR expires nine months on
    assert report.maker("A")["quoted_ns"] == 1200 * S
    assert report.reasons("A", "LAST") == {
        "one_sided": 0,
        "spread": 700 * S,
        "absent": 100 * S,
    } or report.reasons("A", "LAST") == {"absent": 100 * S, "spread": 700 * S}


def pairs(n: int) -> list[str]:
    return [f"{kind}{i:03},K0,0.01,{kind},{100 + i},2025-06-20,,"
            for i in range(n) for kind in ("call", "put")]  # fmt: skip


def test_miax_plmm(tmp_path: Path) -> None:
    """90 % of the day in the lesser of 99 % of series or all but one call/put pair."""
    every = [line.split(",")[0] for line in pairs(50)]
    held = {
        "A": [c for c in every if c not in ("call007", "put007")],  # a pair: 98 % will do
        "B": [c for c in every if c not in ("call007", "put008")],  # no pair
        "C": [c for c in every if c != "call007"],  # 99 %
    }
    report = day(
        tmp_path, "miax-plmm", contracts=pairs(50), makers=["A,*", "B,*", "C,*"], phases=US_SESSION,
        quotes=[line for maker, names_ in held.items() for c in names_
                for line in stands(maker, c, "2.00", "7.00", JAN, JAN + 900 * S)],
    )  # fmt: skip
    assert verdicts(report) == {"A": "compliant", "B": "breached", "C": "compliant"}


def test_miax_plmm_relief_of_two_days(tmp_path: Path) -> None:
    """Twice the width on 2022-02-24 and 25, by the exchange's notice."""
    for date, wide in (("2022-02-24", "compliant"), ("2022-02-28", "breached")):
        start = int(datetime.fromisoformat(f"{date}T14:30:00+00:00").timestamp()) * S
        directory = tmp_path / date
        directory.mkdir()
        report = day(
            directory, "miax-plmm",
            contracts=[f"C{k},K0,0.01,call,{k},2022-06-17,," for k in (100, 110)],  # two, for one pair is spared
            phases=(f"{start},*,continuous", f"{start + 1000 * S},*,closed"),
            quotes=[*stands("M0", "C100", "2.00", "12.00", start), *stands("M0", "C110", "1.00", "11.00", start)],
        )  # fmt: skip
        assert verdicts(report) == {"M0": wide}


def test_twse_mm(tmp_path: Path) -> None:
    """3 % of the ask, 5 units, half of the day."""
    report = day(
        tmp_path, "twse-mm", contracts=series(1), makers=["A,*", "B,*", "C,*", "D,*"],
        quotes=[
            *stands("A", "C000", "97.00", "100.00", 0, 500 * S, 5),
            *stands("B", "C000", "97.00", "100.00", 0, 500 * S - 1, 5),
            *stands("C", "C000", "96.99", "100.00", 0, 0, 5),
            *stands("D", "C000", "97.00", "100.00", 0, 0, 4),
        ],
    )  # fmt: skip
    assert verdicts(report) == {"A": "compliant", "B": "breached", "C": "breached", "D": "breached"}
    assert report.reasons("C", "C000") == {"spread": 1000 * S}
    assert report.reasons("D", "C000") == {"size": 1000 * S}


def test_cn_interbank_bonds(tmp_path: Path) -> None:
    """4 hours a day, and no blank longer than 30 minutes."""
    hour = 3600 * S
    report = day(
        tmp_path, "cn-interbank-bonds", contracts=series(1), makers=["A,*", "B,*"],
        phases=("0,*,continuous", f"{7 * hour},*,closed"),
        quotes=[
            *stands("A", "C000", "99", "101", 0, 2 * hour),
            *stands("A", "C000", "99", "101", 2 * hour + hour // 2, 4 * hour + hour // 2),
            quote(5 * hour, "99", "", 1, 0, "A", "C000"),
            *stands("B", "C000", "99", "101", 1, 4 * hour),
        ],
    )  # fmt: skip
    assert verdicts(report) == {"A": "compliant", "B": "breached"}
    assert [(b.maker, b.start) for b in report.breaches("lapse")] == [
        ("B", 4 * hour + hour // 2),
        ("A", 5 * hour),
    ]


def test_nse_les(tmp_path: Path) -> None:
    """Half of each of two periods, 09:15 to 12:30 and from then on; 3 ticks, 5 contracts."""
    opening = int(datetime(2025, 8, 1, 3, 45, tzinfo=UTC).timestamp()) * S  # 09:15 in Kolkata
    noon, end = opening + 11_700 * S, opening + 22_500 * S  # 12:30, 15:30
    report = day(
        tmp_path, "nse-les", contracts=["F,K0,0.5,future,,,,"], makers=["A,*", "B,*", "W,*"],
        phases=(f"{opening},*,continuous", f"{noon},*,break", f"{noon + 1},*,continuous", f"{end},*,closed"),
        quotes=[
            *stands("A", "F", "100", "101.5", opening, opening + 5_850 * S),
            *stands("A", "F", "100", "101.5", noon, noon + 5_400 * S + 1),
            *stands("B", "F", "100", "101.5", opening, noon + 5_400 * S - 1),  # 3/4 of the day
            *stands("W", "F", "100", "102", opening),
        ],
    )  # fmt: skip
    assert verdicts(report) == {"A": "compliant", "B": "breached", "W": "breached"}
    assert report.reasons("W", "F") == {"spread": 22_500 * S - 1}


def test_vega_sla(tmp_path: Path) -> None:
    """Within 5 basis points of the mid on both sides counts as time on the book."""
    report = day(
        tmp_path, "vega-sla", contracts=["P,K0,0.01,future,,,,"], makers=["A,*", "B,*"], theo=["0,P,10000.00"],
        quotes=[*stands("A", "P", "9995.00", "10005.00", 0, 700 * S), *stands("B", "P", "9994.99", "10005.00")],
    )  # fmt: skip
    assert report.maker("A")["presence"] == "0.700000000"
    assert report.maker("B")["presence"] == "0.000000000"
    assert report.reasons("B", "P") == {"spread": 1000 * S}
