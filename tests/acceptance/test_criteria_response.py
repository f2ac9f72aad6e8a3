"""How fast makers respond: RESP-01 re-quotes, RESP-02 requests for quotes, RESP-03 the first moments; by hand.

As in `captures`: continuous trading over [1000, 2000) ns, so that latencies are below every bucket but the first;
where buckets matter the session is one of seconds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mm_monitor.core.latency import P50, P99, buckets, percentile
from mm_monitor.kernels.layout import LATENCIES
from tests.acceptance.captures import THREE_PERCENT, Report, gone, judge, quote

US, MS, S = 10**3, 10**6, 10**9
FREE = 'judged_by = "ratio_of_sums"'


def wide(ts: int) -> str:
    """0.0400 apart: within 3 % of 1.4 and not of 1.3."""
    return quote(ts, "1.0000", "1.0400")


def day(directory: Path, rules: str = "", end: int = 1000 * S, **tables: Any) -> Report:
    """Continuous trading over [0, end), nothing required."""
    phases = ["0,*,continuous", f"{end},*,closed"]
    return judge(directory, rules, **{"presence": FREE, "phases": phases, **tables})


# RESP-01 ------------------------------------------------------------------------------------------


def requote(report: Report, maker: str = "M0") -> dict[str, Any]:
    found: dict[str, Any] = report.maker_detail(maker)["requote"]
    return found


@pytest.mark.criterion("RESP-01")
def test_from_the_theo_that_makes_a_quote_too_wide_to_the_next_valid_quote(tmp_path: Path) -> None:
    report = day(
        tmp_path, THREE_PERCENT,
        theo=["0,C0,1.4", f"{1 * S},C0,1.3", f"{5 * S},C0,1.4", f"{6 * S},C0,1.3"],
        quotes=[
            wide(0),
            quote(1 * S + 20 * US, "1.0000", "1.0500"),  # still too wide
            quote(1 * S + 70 * US, "1.0000", "1.0390"),
            wide(2 * S),  # too wide by the maker's own doing: not measured
            quote(3 * S, "1.0000", "1.0390"),
        ],
    )  # fmt: skip
    # at 6 s the theo falls again, and 0.0390 is exactly within: no lapse
    assert requote(report) == {
        "buckets": {"100000": 1}, "count": 1, "sum_ns": 70 * US, "p50_ns": 100 * US, "p99_ns": 100 * US,
    }  # fmt: skip
    by_class = report.maker_detail()["requote_by_class"]
    assert [(row["class"], row["cause"], row["count"]) for row in by_class] == [("K0", "theo", 1)]


@pytest.mark.criterion("RESP-01")
def test_a_theo_that_comes_back_drops_the_measurement(tmp_path: Path) -> None:
    report = day(
        tmp_path, THREE_PERCENT,
        theo=["0,C0,1.4", f"{1 * S},C0,1.3", f"{2 * S},C0,1.4"],
        quotes=[wide(0), wide(3 * S)],
    )  # fmt: skip
    assert requote(report)["count"] == 0


@pytest.mark.criterion("RESP-01")
def test_what_is_put_back_at_once_was_never_withdrawn(tmp_path: Path) -> None:
    """At 1 s both sides go and come back, wider than permitted: its own doing, no measurement."""
    report = day(
        tmp_path, THREE_PERCENT, theo=["0,C0,1.3"],
        quotes=[quote(0, "1.0000", "1.0390"), gone(1 * S), wide(1 * S), quote(2 * S, "1.0000", "1.0390")],
    )  # fmt: skip
    assert requote(report)["count"] == 0


@pytest.mark.criterion("RESP-01")
def test_a_withdrawal_of_a_side_or_both_is_measured(tmp_path: Path) -> None:
    report = day(
        tmp_path,
        quotes=[
            quote(0), gone(1 * S), quote(1 * S + 2 * US),
            quote(2 * S, ask=""), gone(2 * S + 1 * US), quote(2 * S + 3 * US),
        ],
    )  # fmt: skip
    # 2 us is in the bucket up to 2 us; 3 us from the first side that went
    assert requote(report)["buckets"] == {"2000": 1, "5000": 1}
    assert requote(report)["sum_ns"] == 5 * US
    assert report.maker_detail()["requote_by_class"][0]["cause"] == "withdrawal"


@pytest.mark.criterion("RESP-01")
@pytest.mark.criterion("NUM-04")
def test_what_lasts_no_time_is_no_lapse_and_no_answer(tmp_path: Path) -> None:
    report = day(
        tmp_path,
        quotes=[
            quote(0), gone(1 * S), quote(1 * S),  # never gone
            gone(2 * S), quote(3 * S), gone(3 * S), quote(4 * S),  # not back at 3 s
        ],
    )  # fmt: skip
    assert (requote(report)["count"], requote(report)["sum_ns"]) == (1, 2 * S)


@pytest.mark.criterion("RESP-01")
def test_choice_a_lapse_that_is_not_obliged_throughout_is_not_measured(tmp_path: Path) -> None:
    report = day(
        tmp_path, '[exemptions]\ntechnical = "exclude"\n',
        phases=["0,*,continuous", f"{2 * S},*,break", f"{4 * S},*,continuous", f"{9 * S},*,closed"],
        exemptions=[f"{6 * S},*,M0,technical,start", f"{7 * S},*,M0,technical,end"],
        feed=[f"{8 * S + 2},*,*,down", f"{8 * S + 3},*,*,up"],
        quotes=[
            quote(0), gone(1 * S), quote(5 * S),  # over the break
            gone(6 * S + 1), quote(6 * S + 2),  # while it is exempt
            gone(8 * S), quote(8 * S + 4),  # over time that is not known
        ],
    )  # fmt: skip
    assert requote(report)["count"] == 0


@pytest.mark.criterion("RESP-01")
def test_a_fill_that_lets_another_account_lead_is_no_answer(tmp_path: Path) -> None:
    """A1's quote is valid, A2's is crossed and leads from 10 s, when the maker is filled too, until its bid is gone."""
    report = day(
        tmp_path, '[accounts]\nrollup = "best"\n[quote]\nafter_fill = "shrinks"\n',
        accounts=["A1,M0", "A2,M0"],
        quotes=[quote(0, "12", "13", 5, maker="A1"), quote(10 * S, "9", "9", 1, maker="A2")],
        headers={"accounts": "account,maker"},
        fills=[f"{10 * S},M0,C0,buy,11,1", f"{20 * S},A2,C0,buy,7,20"],
    )  # fmt: skip
    assert report.times().lapsed == 10 * S
    assert requote(report)["count"] == 0


@pytest.mark.criterion("RESP-02")
def test_a_fill_that_makes_a_quote_valid_answers_no_request(tmp_path: Path) -> None:
    """A0 offers below A2's bid; asked at 21 s, what stands becomes valid at 22 s, when the offer is traded away."""
    report = day(
        tmp_path, '[quote]\nafter_fill = "shrinks"\n[accounts]\n[rfq]\nrespond_within = "15s"\n',
        accounts=["A0,M0", "A2,M0"], headers={"accounts": "account,maker"},
        quotes=[quote(0, "", "8", 0, 5, maker="A0"), quote(15 * S, "16", "17", 5, 5, maker="A2")],
        fills=[f"{22 * S},A0,C0,sell,13,5"], rfqs=[f"{21 * S},R1,C0,"],
    )  # fmt: skip
    rfq = report.maker_detail()["rfq"]
    assert (rfq["asked"], rfq["answered"], rfq["undecided"]) == (1, 0, 0)


@pytest.mark.criterion("RESP-01")
def test_a_theo_that_ends_validity_and_makes_the_contract_owed_is_measured(tmp_path: Path) -> None:
    """Too wide and within the range of deltas by one record: from then on it is owed, and it lapses."""
    report = day(
        tmp_path, THREE_PERCENT + '[required_set]\ndelta = { from = "0.2", to = "0.5" }\n',
        headers={"theo": "ts_event,contract,theo,delta"},
        theo=["0,C0,1.4,0.8", f"{1 * S},C0,1.3,0.3"],
        quotes=[wide(0), quote(1 * S + 70 * US, "1.0000", "1.0390")],
    )  # fmt: skip
    assert report.times().lapsed == 70 * US
    assert (requote(report)["count"], requote(report)["sum_ns"]) == (1, 70 * US)


@pytest.mark.criterion("RESP-01")
@pytest.mark.criterion("NUM-01")
def test_no_percentile_is_finer_than_the_clock() -> None:
    counts = [0] * LATENCIES
    counts[0], counts[4], counts[10] = 90, 9, 1  # within 1 us, 20 us, 2 ms
    assert (percentile(counts, P50, 1), percentile(counts, P99, 1)) == (1 * US, 20 * US)
    assert (percentile(counts, P50, MS), percentile(counts, P99, MS)) == (MS, MS)
    assert [b for b in buckets(counts, MS) if b[1]] == [(MS, 99), (2 * MS, 1)]
    assert percentile(counts, P50, 3 * MS) == 5 * MS
    assert percentile([0] * LATENCIES, P50, 1) is None
    counts = [0] * LATENCIES
    counts[25] = 1  # beyond 100 s
    assert percentile(counts, P50, 1) is None


@pytest.mark.criterion("RESP-01")
def test_a_fill_that_the_venue_restates_is_the_cause(tmp_path: Path) -> None:
    report = day(
        tmp_path, "[quote]\nmin_size = 5\n",
        fills=[f"{1 * S},M0,C0,buy,1.0000,8"],
        quotes=[quote(0), quote(1 * S, bid_size=2), quote(1 * S + 9 * US)],
    )  # fmt: skip
    assert requote(report)["buckets"] == {"10000": 1}
    assert report.maker_detail()["requote_by_class"][0]["cause"] == "fill"


# RESP-02 ------------------------------------------------------------------------------------------

TEN = '[rfq]\nrespond_within = "10ns"\nstay = "20ns"\nrequired = "70%"\n'
STANDING = TEN + "standing_quote_counts = true\n"


def rfq(report: Report, maker: str = "M0") -> tuple[int, int, int]:
    """Asked, answered, undecided."""
    row = report.maker_detail(maker)["rfq"]
    return row["asked"], row["answered"], row["undecided"]


def request(ts: int, makers: str = "", contract: str = "C0") -> str:
    return f"{ts},Q{ts},{contract},{makers}"


@pytest.mark.criterion("RESP-02")
@pytest.mark.parametrize(
    ("quotes", "answered"),
    [
        ([], 0),
        ([quote(1500)], 1),  # both ends of the time to answer are in it
        ([quote(1510)], 1),
        ([quote(1511)], 0),
        ([quote(1490), quote(1505)], 1),  # one that stood is none; restated it is
        ([quote(1490)], 0),
        ([quote(1505, bid="")], 0),  # not valid
        ([quote(1505), gone(1525)], 1),  # it stays for 20 ns
        ([quote(1505), gone(1524)], 0),
        ([quote(1505), gone(1524), quote(1524)], 1),  # never gone
        ([quote(1505), quote(1510, "1.0000", "1.0001", 5, 5), gone(1525)], 1),  # any valid quotes
        ([quote(1502), gone(1503), quote(1505)], 0),  # only the first counts
        ([quote(1505), gone(1505), quote(1508)], 1),  # and that of no length is none
    ],
)  # fmt: skip
def test_an_answer_comes_in_time_and_stays(
    tmp_path: Path, quotes: list[str], answered: int
) -> None:
    report = judge(tmp_path, TEN, presence=FREE, quotes=quotes, rfqs=[request(1500)])
    assert rfq(report) == (1, answered, 0)
    found = [] if answered else [("rfq", "M0", "", 2000, 2000)]
    assert [tuple(b) for b in report.breaches()] == found


@pytest.mark.criterion("RESP-02")
@pytest.mark.parametrize(
    ("quotes", "answered"),
    [([quote(1490)], 1), ([quote(1490), gone(1519)], 0), ([quote(1490), gone(1520)], 1),
     ([quote(1490), gone(1500), quote(1506)], 1), ([gone(1490), quote(1506)], 1)],
)  # fmt: skip
def test_a_quote_that_stands_may_count(tmp_path: Path, quotes: list[str], answered: int) -> None:
    report = judge(tmp_path, STANDING, presence=FREE, quotes=quotes, rfqs=[request(1500)])
    assert rfq(report) == (1, answered, 0)


@pytest.mark.criterion("RESP-02")
def test_what_expires_by_time_alone_did_not_stay(tmp_path: Path) -> None:
    rules = TEN + '[quote]\nmax_age = "15ns"\n'
    report = judge(tmp_path, rules, presence=FREE, quotes=[quote(1505)], rfqs=[request(1500)])
    assert rfq(report) == (1, 0, 0)
    rules = rules.replace("15ns", "20ns")
    report = judge(tmp_path, rules, presence=FREE, quotes=[quote(1505)], rfqs=[request(1500)])
    assert rfq(report) == (1, 1, 0)


@pytest.mark.criterion("RESP-02")
@pytest.mark.parametrize(
    ("feed", "quotes"),
    [
        (["1490,*,*,down"], [quote(1505)]),  # unknown from the begin
        (["1502,*,*,down", "1503,*,*,up"], [quote(1505)]),
        (["1510,*,*,down", "1511,*,*,up"], [quote(1505)]),  # while it should stay
        ([], [quote(1505, "1.00005")]),  # it changed, not known to what
    ],
)
def test_time_that_is_not_known_leaves_it_undecided(
    tmp_path: Path, feed: list[str], quotes: list[str]
) -> None:
    report = judge(tmp_path, TEN, presence=FREE, quotes=quotes, feed=feed, rfqs=[request(1500)])
    assert rfq(report) == (1, 0, 1)
    assert report.breaches() == []


@pytest.mark.criterion("RESP-02")
def test_what_the_end_of_the_period_leaves_open_is_undecided(tmp_path: Path) -> None:
    quotes = [quote(1975, maker="M0"), quote(1985, maker="M1")]
    asked = [request(1975, "M0"), request(1985, "M1"), request(1985, "M2"), request(1995, "M2")]
    report = judge(
        tmp_path, TEN, presence=FREE, makers=["M0,*", "M1,*", "M2,*"], quotes=quotes, rfqs=asked
    )
    # M0 has stayed until 1995; M1 until 2000 only; M2 might have answered both of them later
    assert [rfq(report, maker) for maker in ("M0", "M1", "M2")] == [(1, 1, 0), (1, 0, 1), (2, 0, 1)]


@pytest.mark.criterion("RESP-02")
def test_who_is_asked(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        TEN + '[exemptions]\ntechnical = "exclude"\ndrill = "deem"\n',
        presence=FREE,
        contracts=["C0,K0,0.0001", "C1,K1,0.0001"],
        makers=["M0,*", "M1,K0", "M2,K1", "M3,*", "M4,*"],
        exemptions=["1400,*,M3,technical,start", "1400,*,M4,drill,start"],
        phases=["1000,*,continuous", "1700,*,break", "1800,*,continuous", "2000,*,closed"],
        rfqs=[
            request(900), request(1750), request(2100),  # nobody is obliged
            request(1500), request(1600, "M1|M2|nobody"), request(1850, contract="C9"),
        ],
    )  # fmt: skip
    assert [rfq(report, f"M{k}")[0] for k in range(5)] == [1, 2, 0, 0, 0]
    assert report.records == {"applied": 4 + 2 + 5, "dead_letter": 1}


@pytest.mark.criterion("RESP-02")
@pytest.mark.parametrize(("few", "found"), [(2, 1), (3, 0)])
def test_with_few_requests_the_duty_counts_as_met(tmp_path: Path, few: int, found: int) -> None:
    rules = TEN + f"deemed_fulfilled_up_to = {few}\n"
    asked = [request(1100), request(1200), request(1300)]
    report = judge(tmp_path, rules, presence=FREE, rfqs=asked, quotes=[quote(1105)])
    assert rfq(report) == (3, 1, 0)
    assert len(report.breaches("rfq")) == found


@pytest.mark.criterion("RESP-02")
def test_latencies_of_answers(tmp_path: Path) -> None:
    rules = '[rfq]\nrespond_within = "20s"\n'
    asked = [request(1 * S), request(30 * S), request(60 * S)]
    quotes = [quote(1 * S + 7 * US), quote(35 * S), quote(80 * S)]
    report = day(tmp_path, rules, rfqs=asked, quotes=quotes)
    latency = report.maker_detail()["rfq"]["latency"]
    assert latency["buckets"] == {"10000": 1, str(5 * S): 1, str(20 * S): 1}
    assert (latency["count"], latency["p50_ns"]) == (3, 5 * S)


# RESP-03 ------------------------------------------------------------------------------------------


def profile(report: Report, kind: str, maker: str = "M0") -> list[tuple[int, int, int, int]]:
    """First us, starts, quoted us, required us."""
    rows = report.maker_detail(maker)["profile"][kind]
    return [
        (r["first_ns"] // US, r["starts"], r["quoted_ns"] // US, r["required_ns"] // US)
        for r in rows
    ]


@pytest.mark.criterion("RESP-03")
def test_presence_in_the_first_moments_of_stress(tmp_path: Path) -> None:
    report = day(
        tmp_path,
        contracts=["C0,K0,0.0001", "C1,K1,0.0001"],
        stress=[f"{1 * S},K0,start", f"{3 * S},K0,end", f"{5 * S},*,start", f"{5 * S + 1},*,end"],
        quotes=[quote(0), gone(1 * S), quote(1 * S + 80 * US), quote(0, contract="C1")],
    )
    # first C0 alone, absent for 80 us; then both, quoted throughout
    assert profile(report, "stress") == [
        (50, 2, 0 + 100, 150), (100, 2, 20 + 200, 300), (250, 2, 170 + 500, 750),
        (1_000, 2, 920 + 2_000, 3_000), (10_000, 2, 9_920 + 20_000, 30_000),
        (100_000, 2, 99_920 + 200_000, 300_000), (1_000_000, 2, 999_920 + 2_000_000, 3_000_000),
    ]  # fmt: skip
    assert profile(report, "resumption") == []


@pytest.mark.criterion("RESP-03")
def test_presence_in_the_first_moments_of_a_resumption(tmp_path: Path) -> None:
    report = day(
        tmp_path,
        contracts=["C0,K0,0.0001", "C1,K1,0.0001"],
        phases=[
            "0,*,continuous", f"{1 * S},C0,halt", f"{2 * S},C0,continuous",
            f"{3 * S},C1,halt", f"{3 * S},C1,continuous",  # never halted
            f"{5 * S},*,closed",
        ],
        quotes=[quote(0), gone(2 * S + 60 * US)],
    )  # fmt: skip
    # the first phase of all follows no other
    found = profile(report, "resumption")
    assert found[:2] == [(50, 1, 50, 50), (100, 1, 60, 100)]
    assert found[-1] == (1_000_000, 1, 60, 1_000_000)


@pytest.mark.criterion("RESP-03")
def test_choice_moments_that_the_period_cuts_are_left_out(tmp_path: Path) -> None:
    end = 1 * S + 100 * US
    stress = [f"{1 * S},*,start"]
    report = day(tmp_path, end=end, stress=stress, quotes=[quote(0)])
    assert profile(report, "stress") == [(50, 1, 50, 50), (100, 1, 100, 100)]


# PRES-04 ------------------------------------------------------------------------------------------

RISK = (
    'required = "90%"\nat_risk = [{ long = "400ns", short = "100ns", burn = "2" }]\n'
    'at_risk_every = "100ns"'
)


@pytest.mark.criterion("PRES-04")
@pytest.mark.parametrize(
    ("quotes", "found"),
    [
        # a fifth of both spans is twice the tenth that may be lost: at 1100 20 of 100 ns, and no longer at 1200
        ([quote(1020)], [(1100, 1200)]),
        ([quote(1019)], []),
        # at 1400 100 of 400 and of 100 ns; at 1500 the short span has nothing lost
        ([quote(1000), gone(1300), quote(1400)], [(1400, 1500)]),
        # 20 ns in the last 100 and only 20 in 400
        ([quote(1000), gone(1480), quote(1500)], []),
        # until the end: 60 of 400 at 1960 is no look; at 1900 none; the end is no look either
        ([quote(1000), gone(1850)], []),
        ([quote(1000), gone(1750)], [(1900, 2000)]),  # at 1800 50 of 400, at 1900 150
    ],
)
def test_at_risk_while_the_budget_burns_too_fast_over_both_spans(
    tmp_path: Path, quotes: list[str], found: list[tuple[int, int]]
) -> None:
    report = judge(tmp_path, presence=RISK, quotes=quotes)
    assert [(b.start, b.end) for b in report.breaches("presence_at_risk")] == found


@pytest.mark.criterion("PRES-04")
def test_spans_need_not_be_multiples_of_the_looks(tmp_path: Path) -> None:
    presence = RISK.replace("400ns", "250ns").replace('short = "100ns"', 'short = "30ns"')
    report = judge(tmp_path, presence=presence, quotes=[quote(1000), gone(1250), quote(1300)])
    # at 1300: 50 of [1050, 1300), exactly a fifth, and 30 of [1270, 1300); at 1400 the short span is quoted
    assert [(b.start, b.end) for b in report.breaches("presence_at_risk")] == [(1300, 1400)]
    assert report.raw["breaches"][0]["kind"] == "presence_at_risk"
