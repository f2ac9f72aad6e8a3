"""OBL-01: which contracts of a class are owed, by date, flag, spot and delta; by hand.

Continuous trading is over [1000, 2000) ns of 1970-01-01, which is the trading date without a calendar.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from mm_monitor.core.model import PRICE_SCALE, UnderlyingRecord
from mm_monitor.errors import InputError
from tests.acceptance.captures import HEADERS, Times, judge, quote
from tests.acceptance.desk import desk

SERIES = "contract,class,tick,kind,strike,expiry,flags"
OBL_01 = pytest.mark.criterion("OBL-01")


@pytest.fixture(autouse=True)
def with_series(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables with the optional columns."""
    monkeypatch.setitem(HEADERS, "contracts", SERIES)
    monkeypatch.setitem(HEADERS, "theo", "ts_event,contract,theo,delta")
    monkeypatch.setitem(HEADERS, "reference", "ts_event,action," + SERIES)


def everywhere(*contracts: str) -> Sequence[str]:
    """A good quote on each from the start."""
    return [quote(1000, contract=contract) for contract in contracts]


@OBL_01
def test_what_is_outside_the_required_set_is_not_owed_and_its_quotes_are_counted_apart(
    tmp_path: Path,
) -> None:
    report = judge(
        tmp_path,
        '[required_set]\nkinds = ["call"]\nmax_days = 30\nexclude = ["quarterly"]\n',
        contracts=[
            "C0,K0,0.0001,call,1,1970-01-31,", "C1,K0,0.0001,put,1,1970-01-31,",
            "C2,K0,0.0001,call,1,1970-02-01,", "C3,K0,0.0001,call,1,1970-01-31,weekly quarterly",
        ],
        quotes=everywhere("C0", "C1", "C2", "C3"),
    )  # fmt: skip
    assert report.times(contract="C0") == Times(quoted=1000)  # 30 days are not more than 30
    for contract in ("C1", "C2", "C3"):
        assert report.times(contract=contract) == Times()
        assert report.row(contract=contract)["verdict"] == "not_assessed"
        assert report.hole(contract) == 0
    assert report.records == {"applied": 1 + 2, "no_obligation": 3}  # and two phases
    assert report.maker()["contracts_required"] == 1


@OBL_01
def test_an_adjustment_and_a_listing_of_today_take_a_contract_out(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        '[required_set]\nexclude = ["adjusted", "added_today"]\n',
        contracts=["C0,K0,0.0001,call,1,1970-01-31,", "C1,K0,0.0001,call,1,1970-01-31,"],
        reference=[
            "1400,add,C0,K0,0.0001,call,1.1,1970-01-31,", "1400,add,C2,K0,0.0001,call,2,1970-01-31,",
            "1500,add,C1,K0,0.0001,call,1,1970-01-31,",  # the same once more: nothing is adjusted
        ],
        quotes=[*everywhere("C0", "C1"), quote(1500, contract="C2"), quote(1500, contract="C0")],
    )  # fmt: skip
    assert report.times(contract="C0") == Times(quoted=400)
    assert report.times(contract="C1") == Times(quoted=1000)
    assert report.times(contract="C2") == Times()
    assert report.records["no_obligation"] == 2  # those of 1500 on C0 and C2


@OBL_01
def test_a_delta_that_leaves_the_range_stops_the_clock_and_its_quote_stands(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        '[required_set]\ndelta = { from = "0.1", to = "0.9" }\n',
        contracts=["C0,K0,0.0001,put,1,1970-01-31,"],
        theo=["1100,C0,1,-0.1", "1200,C0,1,-0.09999999", "1500,C0,1,-0.5", "1600,C0,1,0.91", "1700,C0,1,"],
        quotes=[quote(1000), quote(1250, ask="")],
    )  # fmt: skip
    # outside over [1200, 1500) and [1600, 1700); one-sided from 1250 on, which is lost time from 1500 on
    assert report.times() == Times(quoted=200, lapsed=100 + 300)
    assert report.reasons() == {"one_sided": 400}
    assert report.row()["longest_lapse_ns"] == 400  # time that is not owed pauses a lapse
    assert report.records == {"applied": 6 + 2, "no_obligation": 1}  # and two phases


@OBL_01
def test_the_strikes_around_spot_follow_the_underlying(tmp_path: Path) -> None:
    table = desk(
        tmp_path,
        "[required_set]\nstrikes = 0\n",
        contracts=[f"C{k},K0,0.0001,call,{k},1970-01-31," for k in (1, 2)],
        quotes=everywhere("C1", "C2"),
    )
    table.play(1100)
    for ts, price in ((1200, 15), (1500, 16), (1600, None)):  # halfway the lower strike is nearer
        units = None if price is None else price * PRICE_SCALE // 10
        assert table.engine.control(UnderlyingRecord(ts, "K0", units)) is None
    columns = table.view(1700).obligations
    assert columns.quoted.tolist() == [200 + 300 + 100, 200 + 100 + 100]
    letter = table.engine.control(UnderlyingRecord(1700, "K9", 1))
    assert letter is not None
    assert letter.reason == "unknown_class"


@OBL_01
@pytest.mark.parametrize("wrong", ["C0,K0,0.0001,call,one,,", "C0,K0,0.0001,call,,31.01.1970,"])
def test_a_strike_or_expiry_that_cannot_be_read_is_refused(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(InputError, match=r"contracts.csv:2: column (strike|expiry): a d"):
        judge(tmp_path, contracts=[wrong])
