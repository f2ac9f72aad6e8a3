"""Programme-trading signals: messages and cancelled amounts, worked out by hand; signals, never breaches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.acceptance.captures import gone, judge, quote

SECOND = 1_000_000_000
DAY = [f"{1000 * SECOND},*,continuous", f"{2000 * SECOND},*,closed"]
LIMITS = "[signals]\n"


def at(seconds: float) -> int:
    """An instant, exact to the microsecond."""
    return round(seconds * 1_000_000) * 1000


def counted(directory: Path, limits: str, quotes: list[str], **tables: Any) -> Any:
    """What the details say of M0; continuous trading is over [1000 s, 2000 s)."""
    report = judge(directory, LIMITS + limits, quotes=quotes, phases=DAY, **tables)
    assert report.breaches("presence") == report.breaches()  # a signal opens none
    (row,) = report.maker_detail()["programme_trading"]
    return row


def test_the_sliding_second_finds_what_two_seconds_of_the_clock_share(tmp_path: Path) -> None:
    times = [1100.6, 1100.7, 1100.8, 1101.1, 1101.2, 1101.6]
    row = counted(tmp_path, "per_second = 5", [quote(at(t)) for t in times])
    # [1100.6, 1101.6) has five, the sixth comes just too late; the clock's seconds have three each
    assert (row["most_per_sliding_second"], row["most_per_calendar_second"]) == (5, 3)
    assert row["raised"] == ["per_second_sliding"]
    assert counted(tmp_path, "per_second = 6", [quote(at(t)) for t in times])["raised"] == []


def test_every_message_of_the_period_counts_and_none_outside(tmp_path: Path) -> None:
    quotes = [quote(at(999)), quote(at(1000)), quote(at(1200)), quote(at(1300), "1.00005"),
              gone(at(1400)), gone(at(1500)), quote(at(2000)), quote(at(1600), maker="M9")]  # fmt: skip
    row = counted(tmp_path, "per_day = 5", quotes)
    assert (row["messages"], row["raised"]) == (5, ["per_day"])


def test_cancelled_amounts_are_size_by_price_by_multiplier(tmp_path: Path) -> None:
    quotes = [
        quote(at(1100), "2.0000", "2.1000", 10, 5),  # submitted 20 and 10.5
        quote(
            at(1200), "2.0000", "2.2000", 10, 5
        ),  # the ask alone is another: 10.5 cancelled, 11 in
        quote(at(1300), "2.0000", "2.2000", 4, 5),  # the bid is smaller: 20 cancelled, 8 in
        gone(at(1400)),  # 8 and 11 cancelled
        gone(at(1500)),
    ]
    tables: dict[str, Any] = {"contracts": ["C0,K0,0.0001,100"]}
    tables["headers"] = {"contracts": "contract,class,tick,multiplier"}
    row = counted(tmp_path, 'cancelled_share = "100%"\ncancelled_amount = "4950"', quotes, **tables)
    assert (row["submitted_amount"], row["cancelled_amount"]) == ("4950", "4950")
    assert (row["cancelled_share"], row["raised"]) == ("1.000000000", ["cancelled"])


def test_of_share_and_amount_both_must_be_reached(tmp_path: Path) -> None:
    quotes = [quote(at(1100), "2.0000", "2.1000", 10, 10), quote(at(1200), "", "2.1000", 0, 10)]
    # submitted 20 + 21, cancelled 20: 48.78 %
    for limits, raised in [
        ('cancelled_share = "48%"\ncancelled_amount = "20"', ["cancelled"]),
        ('cancelled_share = "49%"\ncancelled_amount = "20"', []),
        ('cancelled_share = "48%"\ncancelled_amount = "20.01"', []),
        ('cancelled_share = "48%"', ["cancelled"]),
        ("per_day = 9", []),
    ]:
        assert counted(tmp_path, limits, quotes)["raised"] == raised, limits


def test_what_was_traded_is_not_cancelled(tmp_path: Path) -> None:
    quotes = [quote(at(1100), "2.0000", "2.1000", 10, 10), quote(at(1300), "2.0000", "2.1000", 6, 10),
              gone(at(1400))]  # fmt: skip
    fills = [f"{at(1200)},M0,C0,buy,2.0000,4"]
    row = counted(tmp_path, "per_day = 9", quotes, fills=fills)
    # the venue restates the 6 that are left: neither cancelled nor submitted again
    assert (row["submitted_amount"], row["cancelled_amount"]) == ("41", "33")


def test_what_stood_before_the_period_is_not_looked_at(tmp_path: Path) -> None:
    quotes = [quote(at(900), "2.0000", "2.1000", 10, 10), gone(at(1100))]
    row = counted(tmp_path, "per_day = 9", quotes)
    assert (row["messages"], row["cancelled_amount"], row["cancelled_share"]) == (1, "0", None)


def test_without_thresholds_nothing_is_counted(tmp_path: Path) -> None:
    detail = judge(tmp_path, quotes=[quote(1000)]).maker_detail()
    assert detail["programme_trading"] == "not_assessed"


def test_each_account_is_counted_by_itself(tmp_path: Path) -> None:
    quotes = [
        quote(at(1100.1), "2.0000", "2.1000", 10, 10, maker="A"),
        quote(at(1100.2), "2.0000", "2.1000", 10, 10, maker="B"),
        quote(at(1100.3), "", "2.1000", 0, 10, maker="B"),
    ]
    tables: dict[str, Any] = {"accounts": ["A,M0", "B,M0"]}
    tables["headers"] = {"accounts": "account,maker"}
    fills = [f"{at(1100.25)},B,C0,buy,2.0000,4"]
    report = judge(
        tmp_path, LIMITS + "per_day = 2", quotes=quotes, phases=DAY, fills=fills, **tables
    )
    rows = report.maker_detail()["programme_trading"]
    # B's quote replaces none of A's; of its bid 6 were left to cancel
    assert [(r["account"], r["messages"], r["cancelled_amount"], r["raised"]) for r in rows] == [
        ("A", 1, "0", []), ("B", 2, "12", ["per_day"]),
    ]  # fmt: skip
