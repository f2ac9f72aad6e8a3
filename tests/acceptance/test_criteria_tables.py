"""VAL-10: limits by price and days to expiry, limits of certain dates, and the underlying's own spread."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.captures import ONE_SESSION, Report, Times, judge, quote

OF_THEO = """[spread]
terms = [{ of = "theo", table = [
  { price_to = "1", absolute = "0.0010" },
  { price_from = "1", price_to = "2", relative = "1%" },
  { price_from = "2", absolute = "0.0500" },
] }]
"""
BY_DAYS = """[spread]
terms = [{ of = "bid", table = [
  { days_to = 30, price_to = "2", absolute = "0.0010" },
  { days_from = 30, days_to = 60, absolute = "0.0020" },
  { price_from = "2", absolute = "0.0030" },
  { days_from = 90, absolute = "0.0040" },
] }]
"""
WITH_EXPIRY = {"contracts": "contract,class,tick,expiry"}


@pytest.mark.criterion("VAL-10")
@pytest.mark.parametrize(
    ("theo", "limit"),
    [("0.9999", 10), ("1.0000", 100), ("1.9999", 199), ("2.0000", 500), ("70.0000", 500)],
)
def test_the_band_that_theo_is_in_has_the_limit(tmp_path: Path, theo: str, limit: int) -> None:
    # limits in ticks; 1 % of 1.9999 is 199.99 ticks
    quotes = [quote(1000, "1.0000", f"1.{limit:04}"), quote(1300, "1.0000", f"1.{limit + 1:04}")]
    report = judge(tmp_path, OF_THEO, theo=[f"1000,C0,{theo}"], quotes=quotes)
    assert report.times() == Times(quoted=300, lapsed=700)


@pytest.mark.criterion("VAL-11")
def test_a_theo_that_moves_into_another_band_judges_anew(tmp_path: Path) -> None:
    theo = [
        "1000,C0,1.5000",
        "1200,C0,1.4999",
        "1300,C0,0.5000",
        "1400,C0,2.5000",
        "1700,C0,1.1000",
    ]
    # 0.0150 passes at 1.5000, not at 1.4999 nor 0.5, passes at 2.5, not at 1.1 (0.0110)
    report = judge(tmp_path, OF_THEO, theo=theo, quotes=[quote(1000, "1.0000", "1.0150")])
    assert report.times() == Times(quoted=200 + 300, lapsed=200 + 300)


@pytest.mark.criterion("VAL-10")
@pytest.mark.parametrize(
    ("expiry", "bid", "limit"),
    [
        ("1970-01-01", "1.0000", 10),  # expires today: 0 days
        ("1970-01-30", "1.9999", 10),  # 29 days
        ("1970-01-30", "2.0000", 30),  # dearer than the first cell: the third
        ("1970-01-31", "2.0000", 20),  # 30 days: the second comes before the third
        ("1970-03-01", "1.0000", 20),  # 59 days
        ("1970-03-02", "1.0000", 0),  # 60 days: in no cell, so nothing is allowed
        ("1970-04-01", "1.0000", 40),  # 90 days
        ("", "1.0000", 40),  # without end: open cells alone
        ("", "2.0000", 30),
        ("1969-12-31", "5.0000", 0),  # expired
    ],
)
def test_the_cell_of_bid_and_days_to_expiry(
    tmp_path: Path, expiry: str, bid: str, limit: int
) -> None:
    base = int(bid.replace(".", "")) + limit
    quotes = [
        quote(1000, bid, f"{base // 10000}.{base % 10000:04}"),
        quote(1300, bid, f"{(base + 1) // 10000}.{(base + 1) % 10000:04}"),
    ]
    report = judge(
        tmp_path, BY_DAYS, contracts=[f"C0,K0,0.0001,{expiry}"], quotes=quotes, headers=WITH_EXPIRY
    )
    # a limit of 0 leaves but a locked quote, which fails as crossed
    assert report.times() == (Times(quoted=300, lapsed=700) if limit else Times(lapsed=1000))


@pytest.mark.criterion("VAL-10")
def test_a_table_takes_its_place_among_the_terms_and_under_relief(tmp_path: Path) -> None:
    table = '{ of = "theo", table = [{ price_to = "1", absolute = "0.0010" }] }'
    rules = (
        '[spread]\ncombine = "%s"\nterms = [' + table + ', { ticks = 4 }]\n[stress]\nrelief = "2"\n'
    )
    theo, stress = ["1000,C0,0.5000", "1600,C0,1.0000"], ["1200,*,start", "1400,*,end"]
    quotes = [quote(1000, "1.0000", "1.0005")]
    # max: 10 ticks, at theo 1.0000 no cell and so 4 ticks; min: 4, in stress 8, and at 1.0000 nothing
    assert judge(tmp_path, rules % "max", theo=theo, stress=stress, quotes=quotes).times() == (
        Times(quoted=600, lapsed=400)
    )
    assert judge(tmp_path, rules % "min", theo=theo, stress=stress, quotes=quotes).times() == (
        Times(quoted=200, lapsed=800)
    )


@pytest.mark.criterion("VAL-12")
def test_a_table_of_theo_hangs_without_one(tmp_path: Path) -> None:
    report = judge(tmp_path, OF_THEO, theo=["1400,C0,1.0000"], quotes=[quote(1000)])
    assert report.times() == Times(quoted=600, unknown=400)


@pytest.mark.criterion("VAL-10")
def test_on_certain_dates_the_limit_is_wider(tmp_path: Path) -> None:
    rules = """[spread]
terms = [{ ticks = 2 }]
relief = [{ from = 1970-01-02, to = 1970-01-03, multiple = "1.5" },
          { from = 1970-01-03, to = 1970-01-04, multiple = "2" }]
"""
    day = 86_400 * 10**9

    def passes(date: int, ticks: int) -> bool:
        phases = [f"{day * date + int(x.split(',')[0])}{x[4:]}" for x in ONE_SESSION]
        quotes = [quote(day * date + 1000, "1.0000", f"1.000{ticks}")]
        report: Report = judge(tmp_path, rules, phases=phases, quotes=quotes)
        return report.times() == Times(quoted=1000)

    limits = [max(n for n in range(1, 7) if passes(date, n)) for date in range(5)]
    assert limits == [2, 3, 4, 4, 2]  # two reliefs on one date: the larger


TWICE = """[spread]
combine = "{}"
terms = [{{ multiple = "2", of = "underlying_spread" }}, {{ ticks = 3 }}]
"""


@pytest.mark.criterion("VAL-10")
def test_the_limit_follows_the_underlyings_own_spread(tmp_path: Path) -> None:
    underlying = [
        "1000,K0,3.0000,2.9998,3.0000",  # 2 ticks: limit 4
        "1200,K0,3.0000,2.9999,3.0001",  # the same spread elsewhere
        "1300,K0,3.0000,2.9998,3.0001",  # 3 ticks: limit 6
        "1600,K0,3.0000,3.0000,3.0000",  # none: limit 0, and so the 3 ticks
    ]
    quotes = [quote(1000, "1.0000", "1.0004"), quote(1100, "1.0000", "1.0006")]
    report = judge(tmp_path, TWICE.format("max"), underlying=underlying, quotes=quotes)
    # 4 passes [1000, 1100), 6 fails until 1300, passes until 1600, fails
    assert report.times() == Times(quoted=100 + 300, lapsed=200 + 400)
    report = judge(tmp_path, TWICE.format("min"), underlying=underlying, quotes=[quote(1000)])
    assert report.times() == Times(quoted=600, lapsed=400)
    assert report.records["applied"] == 2 + 4 + 1


@pytest.mark.criterion("VAL-12")
def test_a_missing_underlying_hangs_like_a_missing_theo(tmp_path: Path) -> None:
    underlying = [
        "1200,K0,3.0000,,3.0001",  # no bid: not known
        "1300,K0,3.0000,2.9998,3.0001",  # 6 ticks
        "1600,K0,3.0000,,",
    ]
    wide, narrow = quote(1000, "1.0000", "1.0005"), quote(1000, "1.0000", "1.0003", maker="M1")

    def judged(rules: str) -> Report:
        makers = ["M0,*", "M1,*"]
        return judge(tmp_path, rules, underlying=underlying, quotes=[wide, narrow], makers=makers)

    report = judged(TWICE.format("max"))
    assert report.times("M0") == Times(quoted=300, unknown=700)
    assert report.times("M1") == Times(quoted=1000)  # within 3 ticks whatever the underlying does
    report = judged(TWICE.format("min"))
    assert report.times("M0") == Times(lapsed=1000)  # beyond 3 ticks whatever it does
    assert report.times("M1") == Times(quoted=300, unknown=700)
    skipped = TWICE.format("max") + '[theo]\nwhen_missing = "skip_spread"\n'
    assert judged(skipped).times("M0") == Times(quoted=1000)


@pytest.mark.criterion("VAL-10")
def test_a_contract_that_is_listed_later_has_the_spread_of_its_class(tmp_path: Path) -> None:
    report = judge(
        tmp_path, TWICE.format("max"), underlying=["1000,K0,3.0000,2.9998,3.0001"],
        reference=["1400,contracts,add,C1,K0,0.0001,,"],
        quotes=[quote(1500, "1.0000", "1.0006", contract="C1")],
    )  # fmt: skip
    assert report.times(contract="C1") == Times(quoted=500, lapsed=100)


@pytest.mark.criterion("TAPE-04")
@pytest.mark.parametrize(
    "line",
    [
        "1000,K9,3.0000,,",
        "1000,K0,0,,",
        "1000,K0,x,,",
        "1000,K0,3.000000001,,",
        "1000,K0,3,-1,2",
        "x,K0,3,,",
    ],
)
def test_an_underlying_that_cannot_be_used_is_a_dead_letter(tmp_path: Path, line: str) -> None:
    report = judge(tmp_path, TWICE.format("max"), underlying=[line], quotes=[quote(1000)])
    assert report.records["dead_letter"] == 1
