"""What happens at one instant, by time alone, and outside the calendar: TAPE-01, TAPE-05, PRES-04; by hand.

Ten seconds of a Tuesday are obliged, of which one may be lost.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mm_monitor.core.accrual import Accruals
from mm_monitor.core.batch import Batch, empty_rows
from mm_monitor.core.engine import Engine
from mm_monitor.core.model import Control, Kind, PhaseRecord
from mm_monitor.core.reference import Appointment, Contract, Reference
from mm_monitor.core.timetable import trading_day
from mm_monitor.core.view import Ints
from mm_monitor.rulebooks import load
from tests.acceptance.captures import Times, gone, quote, rulebook
from tests.acceptance.desk import desk
from tests.acceptance.test_criteria_days import (
    CLOSE,
    NS,
    OPEN,
    TEN_SECONDS,
    after,
    capture,
    unreachable,
)
from tests.acceptance.test_criteria_reference import delisting, listing

# one instant --------------------------------------------------------------------------------------


@pytest.mark.criterion("NUM-04")
@pytest.mark.criterion("PRES-04")
def test_a_halt_that_ends_at_its_own_instant_was_none(tmp_path: Path) -> None:
    phases = [f"{after(2)},C0,halt", f"{after(2)},C0,continuous"]
    report = capture(tmp_path, TEN_SECONDS, quotes=[quote(after(0.5))], phases=phases)
    assert report.breaches() == []


@pytest.mark.criterion("NUM-04")
@pytest.mark.criterion("PRES-04")
def test_a_halt_at_the_instant_of_a_resumption_goes_on(tmp_path: Path) -> None:
    phases = [f"{after(2)},C0,halt", f"{after(3)},C0,continuous", f"{after(3)},C0,halt",
              f"{after(4)},C0,continuous"]  # fmt: skip
    report = capture(tmp_path, TEN_SECONDS, quotes=[quote(after(0.5))], phases=phases)
    # at 2 s R = 0 and 1.5 < 90 % of 2; at 4 s 1.5 + 6 >= 90 % of (2 + 6)
    assert report.breaches() == [unreachable(after(2), after(4))]


@pytest.mark.criterion("NUM-04")
@pytest.mark.criterion("PRES-04")
def test_a_delisting_taken_back_at_its_own_instant_was_none(tmp_path: Path) -> None:
    report = capture(
        tmp_path, TEN_SECONDS, quotes=[quote(after(0.5))],
        reference=[delisting(after(2), "C0"), listing(after(2), "C0")],
    )  # fmt: skip
    assert report.breaches() == []


@pytest.mark.criterion("NUM-04")
@pytest.mark.criterion("PRES-04")
@pytest.mark.parametrize(("lost", "found"), [(0.999999999, []), (1.000000001, [after(1) + 1])])
def test_what_is_lost_up_to_an_instant_of_records_is_found_at_its_own(
    tmp_path: Path, lost: float, found: list[int]
) -> None:
    """The crossing lies before the halt and its end, at which nothing more is found."""
    phases = [f"{after(5)},C0,halt", f"{after(5)},C0,continuous"]
    report = capture(tmp_path, TEN_SECONDS, quotes=[quote(after(lost))], phases=phases)
    assert [b.start for b in report.breaches("presence_unreachable")] == found


# time alone ---------------------------------------------------------------------------------------


@pytest.mark.criterion("TAPE-01")
@pytest.mark.criterion("TAPE-05")
def test_a_lapse_opens_on_the_advance_of_the_watermark(tmp_path: Path) -> None:
    d = desk(tmp_path, '[lapse]\nlongest_permitted = "300ns"\n', quotes=[quote(1000), gone(1100)])
    d.play(1101)
    found = []
    for watermark in (1200, 1400, 1401, 1402):
        d.engine.advance(watermark)
        found.append(d.transitions())
    assert found == [[], [], [("opened", "lapse", 1400, None)], []]


@pytest.mark.criterion("TAPE-01")
@pytest.mark.criterion("TAPE-05")
@pytest.mark.parametrize(("grace", "start"), [("100ns", 1600), ("0ns", 1500)])
def test_a_spread_opens_on_the_advance_of_the_watermark(
    tmp_path: Path, grace: str, start: int
) -> None:
    rules = f'[quote]\nmax_age = "2s"\n[spread]\nterms = [{{ ticks = 1 }}]\ngrace = "{grace}"\n'
    d = desk(tmp_path, rules, quotes=[quote(1000), quote(1500, "1.0000", "1.0002")])
    for watermark in (1499, start):
        d.play(watermark)
        d.engine.advance(watermark)
    assert d.transitions() == []
    d.play(start + 1)
    d.engine.advance(start + 1)
    assert d.transitions() == [("opened", "spread", start, None)]


@pytest.mark.criterion("TAPE-05")
def test_a_quote_that_expires_lapses_and_breaches_without_a_record(tmp_path: Path) -> None:
    rules = '[quote]\nmax_age = "200ns"\n[lapse]\nlongest_permitted = "300ns"\n'
    d = desk(tmp_path, rules, quotes=[quote(1000)])
    d.play(1001)
    for watermark in range(1001, 1600, 50):
        d.engine.advance(watermark)
    assert d.transitions() == [("opened", "lapse", 1500, None)]


def test_an_advance_settles_only_when_something_crosses(tmp_path: Path) -> None:
    d = desk(tmp_path, '[lapse]\nlongest_permitted = "300ns"\n', quotes=[quote(1000), gone(1600)])
    evaluator = d.engine.evaluators[0]
    settled: list[int] = []

    def watch() -> None:
        plain = evaluator.scratch.settle_like

        def counted(other: Accruals, which: Ints, t: int) -> object:
            settled.append(t)
            return plain(other, which, t)

        evaluator.scratch.settle_like = counted  # type: ignore[method-assign, assignment]

    d.play(1500)
    watch()
    for watermark in range(1501, 2500):
        d.play(watermark)
        d.engine.advance(watermark)
    # The last lapse is too long at 1900, which the first look after it tells; a quote that stands brings nothing.
    assert settled == [1901]


# outside the calendar -----------------------------------------------------------------------------

BREAK = (
    '[calendar]\ntimezone = "Asia/Shanghai"\ndays = ["tue"]\nphases = ['
    '{ at = "10:00", phase = "continuous" }, { at = "10:00:05", phase = "break" }, '
    '{ at = "10:00:07", phase = "continuous" }, { at = "10:00:12", phase = "closed" }]\n'
)


def fed(directory: Path, quotes: list[tuple[int, bool]], *pieces: int) -> list[tuple[int, int]]:
    """Unreachable breaches of a market that its feed keeps open from 10:00:00 to 10:00:12, whatever the calendar says.

    `quotes` are (seconds, stands from then on); the tape is cut where `pieces` say.
    """
    book = load(rulebook(directory, BREAK))
    reference = Reference.of([Contract("C0", "K0", 10_000)], [Appointment("M0", "*")])
    engine = Engine([book], reference, {}, phases_judge=True)
    schedule = engine.evaluators[0].schedule
    assert schedule is not None
    controls: list[Control] = [
        *trading_day(schedule, "2025-08-05", book.id, phases=False),
        PhaseRecord(OPEN, "*", "continuous"),
        PhaseRecord(after(12), "*", "closed"),
    ]
    rows = empty_rows(len(controls) + len(quotes))
    for i, control in enumerate(controls):
        rows[i]["ts"], rows[i]["a"] = control.ts, i
        rows[i]["kind"] = Kind.PHASE if isinstance(control, PhaseRecord) else Kind.PERIOD
    for i, (t, stands) in enumerate(quotes, start=len(controls)):
        size = 10 if stands else 0
        rows[i] = (t, i, 10**8, 10**8 + 10_000, size, size, 0, 0, 0, 0, Kind.QUOTE, 0, 0)
    rows = np.sort(rows, order=["ts", "kind"])
    for start, end in zip([0, *pieces], [*pieces, len(rows)], strict=True):
        engine.apply(Batch(rows[start:end], dict(enumerate(controls))))
    found = [b for b in engine.at(after(20))[0].breaches if b.kind == "presence_unreachable"]
    return [(b.start, b.end or 0) for b in found]


@pytest.mark.criterion("PRES-04")
@pytest.mark.parametrize("pieces", [(), (3,), (4,), (3, 4, 5)])
def test_choice_nothing_goes_out_of_reach_where_the_calendar_did_not_foresee_trading(
    tmp_path: Path, pieces: tuple[int, ...]
) -> None:
    # ten seconds are foreseen. Lost: 0.9 s at first, 0.4 s in what should be a break, of which 1.6 s are quoted
    quotes = [(after(0.9), True), (after(5.2), False), (after(5.6), True)]
    # at 5.6 s: 4.1 + 0.2 + 5 = 9.3 < 90 % of (5.6 + 5) = 9.54, and at 7 s 10.7 < 90 % of 12 = 10.8: then it is said
    assert fed(tmp_path, quotes, *pieces) == [(after(7), CLOSE + 2 * NS)]
    # with 0.3 s lost 10.8 is reached, though at 5.5 s 9.3 was less than 90 % of 10.5
    quotes[2] = (after(5.5), True)
    assert fed(tmp_path, quotes, *pieces) == []


@pytest.mark.criterion("PRES-04")
def test_choice_slack_rises_with_what_is_quoted_outside_the_calendar(tmp_path: Path) -> None:
    quotes = [(after(0.9), True), (after(7.5), False), (after(7.9), True)]
    # the two seconds of the break are quoted: 1.2 s of twelve may be lost, and 0.9 + 0.3 are
    assert fed(tmp_path, quotes) == [(after(7.8) + 1, CLOSE + 2 * NS)]


# reference lines out of order ---------------------------------------------------------------------


@pytest.mark.criterion("NUM-02")
def test_adjustments_may_stand_in_any_order_in_their_file(tmp_path: Path) -> None:
    lines = [listing(after(2), "C0", tick="0.0005"), listing(after(4), "C0", tick="0.0001")]
    quotes = [quote(OPEN), quote(after(3), "1.0000", "1.0005"), quote(after(5))]
    for reference in (lines, lines[::-1]):
        report = capture(tmp_path, TEN_SECONDS, quotes=quotes, reference=reference)
        assert report.times() == Times(quoted=10 * NS)
        assert report.records == {"applied": 3}
