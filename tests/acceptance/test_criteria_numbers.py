"""NUM-01 to NUM-04: times, prices, exact comparison, exact integration; by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.captures import Times, gone, judge, quote

FINEST = ["C0,K0,0.00000001"]
COARSE = ["C0,K0,1"]
ALL_OF_THEO = '[spread]\nterms = [{ relative = "100%", of = "theo" }]\n'


@pytest.mark.criterion("NUM-01")
def test_event_time_decides_not_the_order_of_lines(tmp_path: Path) -> None:
    quotes = [quote(1000), gone(1200), quote(1300), gone(1900)]
    forward = judge(tmp_path, quotes=quotes)
    backward = judge(tmp_path, quotes=quotes[::-1])
    assert forward.times() == Times(quoted=200 + 600, lapsed=100 + 100)
    assert forward.raw == backward.raw


@pytest.mark.criterion("NUM-01")
def test_times_are_int64_nanoseconds_and_nothing_else(tmp_path: Path) -> None:
    texts = [str(2**63 - 2), str(2**63), "1000.0", "1e3", "-1", ""]
    quotes = [quote(1000).replace("1000,", f"{text},", 1) for text in texts]
    report = judge(tmp_path, quotes=quotes)
    assert report.records == {"applied": 1 + 2, "dead_letter": 5}  # two are the phases


@pytest.mark.criterion("NUM-01")
@pytest.mark.timeout(3)
def test_a_record_of_the_last_instant_does_not_hold_the_replay(tmp_path: Path) -> None:
    assert judge(tmp_path, quotes=[quote(1000), quote(2**63 - 1)]).times() == Times(quoted=1000)


@pytest.mark.criterion("NUM-02")
def test_prices_are_decimals_and_never_binary_floats(tmp_path: Path) -> None:
    # 1.1 - 1.0 is 0.10000000000000009 as floats; here it is the limit of 0.1
    rules = '[spread]\nterms = [{ absolute = "0.1" }]\n'
    assert judge(tmp_path, rules, quotes=[quote(1000, "1.0", "1.1")]).times() == Times(quoted=1000)


@pytest.mark.criterion("NUM-02")
def test_a_price_with_nine_decimals_off_tick_or_out_of_range_is_a_bad_record(
    tmp_path: Path,
) -> None:
    good = [quote(1000, "1.00000000000", "1.0001"), quote(1100, "-1.0000", "1.0001", bid_size=0)]
    bad = [
        quote(1200, "1.000000001", "1.0001"),
        quote(1300, "1.00005", "1.0001"),
        quote(1400, "92000000000.0001", "92000000001"),
        quote(1500, "1e0", "1.0001"),
    ]
    assert judge(tmp_path, quotes=good + bad).records == {"applied": 2 + 2, "dead_letter": 4}


@pytest.mark.criterion("NUM-02")
def test_a_theo_with_more_decimals_is_rounded_half_even(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        ALL_OF_THEO,
        contracts=FINEST,
        quotes=[quote(900, "0.00000001", "0.00000003")],  # spread: 2 units, limit: the theo
        theo=[
            "1000,C0,0.000000015",  # 1.5 units: half to even, 2: quoted 100
            "1100,C0,0.000000025",  # 2.5 units: 2: quoted 200
            "1300,C0,0.000000014999",  # below the half: 1: lapsed 300
            "1600,C0,0.000000005",  # 0.5 units: 0: lapsed 400
        ],
    )
    assert report.times() == Times(quoted=300, lapsed=700)


@pytest.mark.criterion("NUM-03")
@pytest.mark.parametrize(
    ("lost", "verdict", "presence", "slack"),
    [
        (99, "compliant", "0.901000000", 1),
        (100, "compliant", "0.900000000", 0),
        (101, "breached", "0.899000000", -1),
    ],
)
def test_presence_equal_to_the_requirement_passes(
    tmp_path: Path, lost: int, verdict: str, presence: str, slack: int
) -> None:
    row = judge(tmp_path, quotes=[quote(1000 + lost)]).row()
    assert (row["verdict"], row["presence"], row["slack_ns"]) == (verdict, presence, slack)


@pytest.mark.criterion("NUM-03")
def test_a_nanosecond_in_ten_seconds_fails_and_does_not_read_as_ninety_percent(
    tmp_path: Path,
) -> None:
    # 8 999 999 999 of 10 000 000 000 ns = 89.99999999 %: nine digits, cut
    phases = ["0,*,continuous", f"{10**10},*,closed"]
    row = judge(tmp_path, phases=phases, quotes=[quote(10**9 + 1)]).row()
    assert (row["presence"], row["verdict"], row["slack_ns"]) == ("0.899999999", "breached", -1)


@pytest.mark.criterion("NUM-03")
def test_products_are_compared_in_128_bits(tmp_path: Path) -> None:
    # 3 % of 92 000 000 000 = 2 760 000 000; in 10^-8 and times 100 that is 2.76e19, over 2^63
    rules = '[spread]\nterms = [{ relative = "3%", of = "ask" }]\n'
    quotes = [
        quote(1000, "89240000000", "92000000000", 2**31 - 1, 2**31 - 1),
        quote(1400, "89239999999", "92000000000", 2**31 - 1, 2**31 - 1),
    ]
    report = judge(tmp_path, rules, contracts=COARSE, quotes=quotes)
    assert report.times() == Times(quoted=400, lapsed=600)


@pytest.mark.criterion("NUM-03")
def test_ratios_that_no_decimal_holds_compare_exactly(tmp_path: Path) -> None:
    # 66.6666667 % of 3 000 000 001 is 2 000 000 001.666666667: one more passes
    presence = 'required = "66.6666667%"'
    phases = ["0,*,continuous", "3000000001,*,closed"]
    for quoted, verdict in ((2_000_000_001, "breached"), (2_000_000_002, "compliant")):
        quotes = [quote(0), gone(quoted)]
        row = judge(tmp_path, presence=presence, phases=phases, quotes=quotes).row()
        assert row["verdict"] == verdict


@pytest.mark.criterion("NUM-04")
def test_every_nanosecond_out_is_counted(tmp_path: Path) -> None:
    # ten times out for one ns: [1050, 1051), [1150, 1151), ...: no sampler would see them
    quotes = [quote(1000)]
    for k in range(10):
        quotes += [gone(1050 + 100 * k), quote(1051 + 100 * k)]
    report = judge(tmp_path, quotes=quotes)
    assert report.times() == Times(quoted=990, lapsed=10)
    assert (report.row()["lapses"], report.row()["longest_lapse_ns"]) == (10, 1)


@pytest.mark.criterion("NUM-04")
def test_a_state_that_lasts_no_time_weighs_nothing(tmp_path: Path) -> None:
    # withdrawn and quoted again at 1500: by line number the quote is last, and no lapse was
    report = judge(tmp_path, quotes=[quote(1000), gone(1500), quote(1500)])
    assert report.times() == Times(quoted=1000)
    assert report.row()["lapses"] == 0
    # the other way round the withdrawal is last
    report = judge(tmp_path, quotes=[quote(1000), quote(1500), gone(1500)])
    assert report.times() == Times(quoted=500, lapsed=500)


@pytest.mark.criterion("NUM-04")
def test_intervals_are_half_open(tmp_path: Path) -> None:
    # quoted from 1999 on: one ns; quoted at 2000, the end: none
    assert judge(tmp_path, quotes=[quote(1999)]).times() == Times(quoted=1, lapsed=999)
    assert judge(tmp_path, quotes=[quote(2000)]).times() == Times(lapsed=1000)
    assert judge(tmp_path, quotes=[quote(999), gone(1000)]).times() == Times(lapsed=1000)
