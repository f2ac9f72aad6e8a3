"""PRES-05: what judges a maker, by hand: pairs that are spared, so many contracts of a class, so many classes.

A contract of these tests is quoted over a number of the 1000 obliged ns, 90 % being required: 900 pass.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.captures import HEADERS, Found, Report, gone, judge, quote

PRES_05 = pytest.mark.criterion("PRES-05")


@pytest.fixture(autouse=True)
def with_series(monkeypatch: pytest.MonkeyPatch) -> None:
    """A contracts table that says what is a pair."""
    monkeypatch.setitem(HEADERS, "contracts", "contract,class,tick,kind,strike,expiry")


def quoted(directory: Path, presence: str, until: dict[str, int], unknown: str = "") -> Report:
    """M0 on contracts named like `K0-call-5`, quoted until then; the feed of `unknown` is down over the last 100 ns."""
    contracts, quotes = [], []
    for name, ns in until.items():
        klass, kind, strike = name.split("-")
        contracts.append(f"{name},{klass},0.0001,{kind},{strike},1970-01-31")
        quotes += [quote(1000, contract=name), gone(1000 + ns, contract=name)] if ns else []
    feed = [f"1900,{unknown},*,down"] if unknown else []
    return judge(
        directory, presence=f'required = "90%"\n{presence}', contracts=contracts, quotes=quotes, feed=feed
    )  # fmt: skip


PAIRS = 'judged_by = "coverage"\ncoverage_required = "99%"\ncoverage_all_but_pairs = 1'


@PRES_05
@pytest.mark.parametrize(
    ("until", "verdict"),
    [
        ({"K0-call-5": 0, "K0-put-5": 0, "K0-call-6": 900}, "compliant"),  # one pair fails
        ({"K0-call-5": 0, "K0-put-6": 0, "K0-call-6": 900}, "breached"),  # halves of two
        ({"K0-call-5": 0, "K1-put-5": 0, "K0-call-6": 900}, "breached"),  # of two classes
        ({"K0-call-5": 0, "K0-future-": 899, "K0-call-6": 900}, "breached"),  # no half of any pair
        ({"K0-call-5": 900, "K0-put-5": 899}, "compliant"),
    ],
)
def test_all_but_one_call_put_pair(tmp_path: Path, until: dict[str, int], verdict: str) -> None:
    report = quoted(tmp_path, PAIRS, until)
    assert report.maker()["verdict"] == verdict
    breach = [Found("presence", "M0", "", 2000, 2000)] if verdict == "breached" else []
    assert report.breaches() == breach


@PRES_05
def test_unknown_time_decides_whether_another_pair_fails(tmp_path: Path) -> None:
    until = {"K0-call-5": 0, "K0-put-6": 800, "K0-call-6": 900}
    assert quoted(tmp_path, PAIRS, until).maker()["verdict"] == "breached"
    # the put may have been quoted over its last 100 ns: 900 of 1000
    undecided = quoted(tmp_path, PAIRS, until | {"K0-put-6": 900 - 100}, unknown="K0-put-6")
    assert undecided.row(contract="K0-put-6")["verdict"] == "indeterminate"
    assert undecided.maker()["verdict"] == "indeterminate"


@PRES_05
@pytest.mark.parametrize(
    ("until", "verdict"),
    [
        ({"K0-call-5": 900, "K0-call-6": 900, "K0-call-7": 0, "K1-call-5": 900, "K1-call-6": 900}, "compliant"),
        ({"K0-call-5": 900, "K0-call-6": 899, "K0-call-7": 0, "K1-call-5": 900, "K1-call-6": 900}, "breached"),
        ({"K0-call-5": 900, "K0-call-6": 900, "K1-call-5": 900}, "breached"),  # K1 has not two
    ],
)  # fmt: skip
def test_so_many_contracts_of_each_class(
    tmp_path: Path, until: dict[str, int], verdict: str
) -> None:
    report = quoted(tmp_path, 'judged_by = "contracts"\ncontracts_required = 2', until)
    assert report.maker()["verdict"] == verdict


@PRES_05
@pytest.mark.parametrize(
    ("until", "verdict"),
    [
        ({"K0-call-5": 1000, "K0-call-6": 800, "K1-call-5": 900, "K2-call-5": 0}, "compliant"),
        ({"K0-call-5": 1000, "K0-call-6": 799, "K1-call-5": 900, "K2-call-5": 0}, "breached"),
    ],
)
def test_so_many_classes_each_by_its_sums(
    tmp_path: Path, until: dict[str, int], verdict: str
) -> None:
    report = quoted(tmp_path, 'judged_by = "products"\nproducts_required = 2', until)
    assert report.maker()["verdict"] == verdict


@PRES_05
def test_days_judges_one_day_by_its_sums(tmp_path: Path) -> None:
    report = quoted(tmp_path, 'judged_by = "days"', {"K0-call-5": 1000, "K0-call-6": 800})
    assert report.maker()["verdict"] == "compliant"


CALENDAR = """
[calendar]
timezone = "UTC"
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
phases = [{ at = "00:01", phase = "continuous" }, { at = "00:02", phase = "closed" }]
"""
SECOND = 1_000_000_000


@PRES_05
@pytest.mark.criterion("PRES-04")
@pytest.mark.parametrize(
    ("presence", "crossing"),
    [
        # 6 of the 60 s may be lost: each contract is out of reach 1 ns after its own 6 s
        ('judged_by = "contracts"\ncontracts_required = 1', (20 + 6) * SECOND + 1),  # all of K0
        ('judged_by = "contracts"\ncontracts_required = 2', 0),  # K1 never had two
        # of K0 12 of 120 s may be lost: 11 of the put and 1 of the call
        ('judged_by = "products"\nproducts_required = 2', (20 + 1) * SECOND + 1),
        ('judged_by = "coverage"\ncoverage_all_but_pairs = 1', None),  # the pair is spared
        ('judged_by = "coverage"', (10 + 6) * SECOND + 1),
    ],
)
def test_out_of_reach_at_the_nanosecond(
    tmp_path: Path, presence: str, crossing: int | None
) -> None:
    minute = 60 * SECOND
    contracts = [
        f"{name},{name[:2]},0.0001,{name[3:]},5,1970-01-31"
        for name in ("K0-put", "K0-call", "K1-put")
    ]
    quotes = [quote(minute, contract=line.split(",")[0]) for line in contracts]
    quotes += [
        gone(minute + 10 * SECOND, contract="K0-put"),
        gone(minute + 20 * SECOND, contract="K0-call"),
    ]
    report = judge(
        tmp_path, CALENDAR, presence=f'required = "90%"\n{presence}', contracts=contracts, quotes=quotes, phases=[]
    )  # fmt: skip
    found = [breach.start - minute for breach in report.breaches("presence_unreachable")]
    assert found == ([] if crossing is None else [crossing])
