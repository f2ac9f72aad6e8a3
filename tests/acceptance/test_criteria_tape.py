"""The tape writes and the clock reads: TAPE-01 to TAPE-05, live slack, transitions of breaches; by hand."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from mm_monitor.core.batch import Batch, Decoded, empty_rows
from mm_monitor.core.engine import Engine
from mm_monitor.core.model import (
    Control,
    ExemptionRecord,
    FeedRecord,
    Kind,
    PhaseRecord,
    RawRecord,
    ReferenceRecord,
    State,
    StressRecord,
)
from mm_monitor.core.snapshot import restore, snapshot
from mm_monitor.sources.merge import BEFORE_ALL, Merge
from mm_monitor.sources.protocol import Delivery
from tests.acceptance.captures import THREE_PERCENT, gone, quote
from tests.acceptance.desk import Desk, desk
from tests.acceptance.test_criteria_days import CLOSE, NS, OPEN, TEN_SECONDS, after

LAPSE = '[lapse]\nlongest_permitted = "300ns"\n'
KINDS = '[exemptions]\ntechnical = "exclude"\n'


def eventful(directory: Path) -> Desk:
    """A desk with a bit of everything on its tape."""
    return desk(
        directory,
        THREE_PERCENT + KINDS + LAPSE,
        quotes=[quote(1000), gone(1200), quote(1600, "1.0000", "1.0300"), quote(1700, "1.00005")],
        theo=["1000,C0,1.0000", "1800,C0,2.0000"],
        feed=["1850,*,*,down", "1900,*,*,up"],
        exemptions=["1100,C0,*,technical,start", "1150,C0,*,technical,end"],
    )


def quoted(d: Desk, t: int) -> int:
    return int(d.view(t).obligations.quoted[0])


# TAPE-01 ------------------------------------------------------------------------------------------


@pytest.mark.criterion("TAPE-01")
def test_at_extends_the_last_state_and_changes_nothing(tmp_path: Path) -> None:
    d = desk(tmp_path, quotes=[quote(1100), gone(1600)])
    d.play(1101)
    before = snapshot(d.engine)
    assert [quoted(d, t) for t in (1500, 1200, 1200, 1900)] == [400, 100, 100, 800]
    assert snapshot(d.engine) == before
    d.play(3000)  # the withdrawal of 1600 was not known when 1900 was asked for
    assert quoted(d, 2000) == 500


@pytest.mark.criterion("TAPE-01")
def test_the_instant_of_expiry_is_seen_by_whoever_asks_whenever(tmp_path: Path) -> None:
    d = desk(tmp_path, '[quote]\nmax_age = "300ns"\n', quotes=[quote(1000)])
    d.play(1001)
    shown = [(quoted(d, t), int(d.view(t).obligations.state[0])) for t in (1299, 1300, 1301, 1999)]
    stale = State.LAPSED + 7
    assert shown == [(299, State.QUOTED), (300, stale), (300, stale), (300, stale)]


@pytest.mark.criterion("TAPE-01")
def test_an_estimate_is_marked_and_what_is_published_is_not(tmp_path: Path) -> None:
    d = desk(tmp_path, quotes=[quote(1000)])
    d.play(1001)
    assert not d.view(1500).estimate
    assert d.engine.at(1500, estimate=True)[0].estimate


@pytest.mark.criterion("TAPE-01")
def test_after_the_end_of_the_period_nothing_moves(tmp_path: Path) -> None:
    d = desk(tmp_path, quotes=[quote(1000)])
    d.play(5000)
    assert (quoted(d, 2000), quoted(d, 9_000_000), d.view(9_000_000).at) == (1000, 1000, 9_000_000)


# TAPE-02 and TAPE-03 ------------------------------------------------------------------------------


@pytest.mark.criterion("TAPE-02")
def test_one_batch_and_one_record_a_batch_leave_the_same_bytes(tmp_path: Path) -> None:
    whole, pieces = eventful(tmp_path), eventful(tmp_path)
    whole.play(5000)
    for i in range(len(pieces.tape.rows)):
        pieces.engine.apply(Batch(pieces.tape.rows[i : i + 1], pieces.tape.controls))
    assert whole.transitions() == pieces.transitions()
    assert snapshot(whole.engine) == snapshot(pieces.engine)


def delivery(part: int, *times: int, first: int = 0) -> Delivery:
    """Quotes of one part at these times, offsets counted from `first`."""
    rows = empty_rows(len(times))
    rows["ts"], rows["kind"], rows["part"] = times, Kind.QUOTE, part
    rows["offset"] = np.arange(first, first + len(times))
    return Delivery(part, Decoded(rows), len(times))


def order(batch: Batch) -> list[tuple[int, int, int]]:
    return [(int(r["ts"]), int(r["part"]), int(r["offset"])) for r in batch.rows]


@pytest.mark.criterion("TAPE-03")
def test_any_order_within_the_lateness_gives_the_same_tape(tmp_path: Path) -> None:
    sent = [delivery(p, t, first=t) for t in range(100, 200, 7) for p in (1, 2)]
    tapes = []
    for seed in range(20):
        shuffled, merge = random.Random(seed).sample(sent, len(sent)), Merge()
        for one in shuffled:
            merge.push(one)
        tapes.append(order(merge.release(1000)))
    assert tapes[0] == sorted(tapes[0])
    assert len(tapes[0]) == len(sent)
    assert all(tape == tapes[0] for tape in tapes)


@pytest.mark.criterion("TAPE-03")
def test_a_record_behind_the_watermark_is_handed_back_and_never_applied() -> None:
    merge = Merge(lateness=50)
    merge.push(delivery(1, 100, 300))
    assert merge.mark([1]) == 250
    assert order(merge.release(250)) == [(100, 1, 0)]
    late, _ = merge.push(delivery(1, 249, 250, first=2))
    # 249 is behind 250, 250 is not
    assert (late["ts"].tolist(), merge.late) == ([249], 1)
    assert order(merge.release(1000)) == [(250, 1, 3), (300, 1, 1)]


@pytest.mark.criterion("TAPE-03")
def test_what_a_late_record_names_becomes_provisional(tmp_path: Path) -> None:
    d = desk(tmp_path, contracts=["C0,K0,0.0001", "C1,K0,0.0001"], quotes=[quote(1000)])
    d.play(1500)
    rows = empty_rows(1)
    rows["kind"], rows["contract"] = Kind.QUOTE, 1
    d.engine.evaluators[0].mark_late(rows)
    assert d.view(1500).obligations.provisional.tolist() == [False, True]


RAW = RawRecord("control", 0, 0, b"")


@pytest.mark.criterion("TAPE-03")
@pytest.mark.parametrize(
    ("record", "marked"),
    [
        (PhaseRecord(1200, "K0", "halt", RAW), ["M0 C0", "M1 C0"]),
        (PhaseRecord(1200, "*", "halt", RAW, "another"), []),
        (ExemptionRecord(1200, "*", "M1", "technical", "start", RAW), ["M1 C0", "M1 C1"]),
        (ExemptionRecord(1200, "*", "M1", "of another rulebook", "start", RAW), []),
        (FeedRecord(1200, "C1", "*", "down", RAW), ["M0 C1", "M1 C1"]),
        (FeedRecord(1200, "*", "nobody", "down", RAW), []),
        (StressRecord(1200, "C0", "start", RAW), ["M0 C0", "M1 C0"]),
        (ReferenceRecord(1200, "contracts", "remove", {"contract": "C1"}, RAW), ["M0 C1", "M1 C1"]),
        (ReferenceRecord(1200, "makers", "remove", {"maker": "M0", "class": "K1"}, RAW), ["M0 C1"]),
    ],
)
def test_so_does_what_a_late_control_record_would_have_touched(
    tmp_path: Path, record: Control, marked: list[str]
) -> None:
    contracts = ["C0,K0,0.0001", "C1,K1,0.0001"]
    rules = '[exemptions]\ntechnical = "exclude"\n'
    d = desk(tmp_path, rules, contracts=contracts, makers=["M0,*", "M1,*"], quotes=[quote(1000)])
    d.play(1500)
    d.engine.evaluators[0].mark_late(empty_rows(0), [record])
    view, o = d.view(1500), d.view(1500).obligations
    names = [
        f"{view.makers[m]} {view.contracts[c]}"
        for m, c in zip(o.maker[o.provisional], o.contract[o.provisional], strict=True)
    ]
    assert names == marked


@pytest.mark.criterion("TAPE-03")
def test_a_late_theo_marks_all_makers_of_its_contract(tmp_path: Path) -> None:
    contracts = ["C0,K0,0.0001", "C1,K0,0.0001"]
    d = desk(tmp_path, contracts=contracts, makers=["M0,*", "M1,*"], quotes=[quote(1000)])
    d.play(1500)
    rows = empty_rows(1)
    rows["kind"], rows["contract"], rows["maker"] = Kind.THEO, 1, -1
    d.engine.evaluators[0].mark_late(rows)
    assert d.view(1500).obligations.provisional.tolist() == [False, True, False, True]


@pytest.mark.criterion("TAPE-04")
def test_a_duplicate_has_no_effect() -> None:
    merge = Merge()
    merge.push(delivery(1, 100, 200))
    merge.push(delivery(1, 100, 200))  # the same partition and offsets
    merge.push(delivery(2, 100))  # another partition
    assert order(merge.release(1000)) == [(100, 1, 0), (100, 2, 0), (200, 1, 1)]
    assert merge.duplicates == 2


# TAPE-05 ------------------------------------------------------------------------------------------


@pytest.mark.criterion("TAPE-05")
def test_the_watermark_is_the_least_of_the_greatest_times_less_the_lateness() -> None:
    merge = Merge(lateness=10)
    merge.push(delivery(1, 500, 300))
    assert merge.mark([1, 2]) == BEFORE_ALL  # 2 has not spoken yet
    merge.push(delivery(2, 400))
    assert merge.mark([1, 2]) == 390
    merge.release(390)
    assert merge.mark([1]) == 490  # 2 is idle and holds nothing back
    merge.release(490)
    assert merge.mark([1, 2]) == 490  # it never steps back


@pytest.mark.criterion("TAPE-05")
def test_without_a_live_part_the_source_vouches_for_the_time() -> None:
    merge = Merge(lateness=10)
    merge.push(delivery(1, 500))
    assert (merge.mark([], 700), merge.mark([], None)) == (700, BEFORE_ALL)


# OBL-04 -------------------------------------------------------------------------------------------


@pytest.mark.criterion("OBL-04")
def test_phases_and_exclusions_for_all_touch_contracts_and_no_slot(tmp_path: Path) -> None:
    makers = [f"M{k},*" for k in range(20)]
    d = desk(
        tmp_path, KINDS, makers=makers, quotes=[quote(1000)],
        phases=["1000,*,continuous", "1200,C0,halt", "1300,C0,continuous", "2000,*,closed"],
        exemptions=["1400,*,*,technical,start", "1500,*,*,technical,end", "1600,*,M3,technical,start"],
    )  # fmt: skip
    d.play(1100)
    accruals = d.engine.evaluators[0].accruals
    before = accruals.slots.copy()
    d.play(1600)
    assert accruals.slots.tobytes() == before.tobytes()
    d.play(1700)
    touched = [bool(a != b) for a, b in zip(accruals.slots, before, strict=True)]
    assert touched.count(True) == 1  # the exemption of one maker costs its own slot


# What a picture says beyond the report ------------------------------------------------------------


@pytest.mark.criterion("PRES-04")
def test_live_slack_counts_the_rest_of_the_day(tmp_path: Path) -> None:
    rules = TEN_SECONDS + KINDS
    d = desk(
        tmp_path,
        rules,
        quotes=[quote(after(0.5))],
        phases=[f"{after(4)},C0,halt", f"{after(5)},C0,continuous"],
    )
    d.play(OPEN + 1)
    # quoted + R - 90 % of (T + R), in s: nothing lost of 10; 0.5 lost
    assert d.view(OPEN).maker_rows[0].slack == NS
    d.play(after(1))
    assert d.view(after(3)).maker_rows[0].slack == NS // 2
    assert d.view(after(3)).obligations.remaining.tolist() == [7 * NS]
    d.play(CLOSE)
    # one second of halt takes a tenth of a second: -(1 - r) * x
    assert d.view(after(6)).maker_rows[0].slack == NS // 2 - NS // 10


@pytest.mark.criterion("PRES-08")
def test_limit_use_last_valid_and_switches(tmp_path: Path) -> None:
    d = desk(
        tmp_path,
        THREE_PERCENT,
        theo=["1000,C0,1.0000"],
        quotes=[
            quote(1000, "1.0000", "1.0100"),
            quote(1200, "1.0000", "1.0300"),
            gone(1300),
            quote(1600, "1.0000", "1.0200"),
        ],
    )
    d.play(1700)
    o = d.view(1700).obligations
    # floor(10^9 * spread / limit): a third for 200 ns, all of it for 100, two thirds for 100
    assert o.limit_use[0] == 333_333_333 * 200 + 10**9 * 100 + 666_666_666 * 100
    assert o.switches.tolist() == [2]  # valid, lapsed, valid
    assert o.last_valid.tolist() == [1700]
    assert (o.lapses.tolist(), o.longest_lapse.tolist(), o.current_lapse.tolist()) == (
        [1],
        [300],
        [0],
    )


@pytest.mark.criterion("PRES-08")
def test_time_since_last_valid_and_the_lapse_that_is_open(tmp_path: Path) -> None:
    d = desk(tmp_path, quotes=[quote(1000), gone(1300)])
    d.play(1301)
    o = d.view(1450).obligations
    assert (o.last_valid.tolist(), o.current_lapse.tolist(), o.switches.tolist()) == (
        [1300],
        [150],
        [1],
    )
    never = desk(tmp_path, quotes=[])
    never.play(1001)
    assert never.view(1450).obligations.last_valid.tolist() == [-1]


@pytest.mark.criterion("PRES-05")
def test_ratios_of_sums_are_told_for_each_class_too(tmp_path: Path) -> None:
    d = desk(
        tmp_path,
        contracts=["C0,K0,0.0001", "C1,K0,0.0001", "C2,K1,0.0001"],
        quotes=[quote(1000), quote(1500, contract="C1")],
    )
    d.play(3000)
    rows = d.view(2000).class_rows
    assert [(r.maker, r.klass, r.quoted, r.required_time) for r in rows] == [
        ("M0", "K0", 1500, 2000), ("M0", "K1", 0, 1000),
    ]  # fmt: skip
    maker = d.view(2000).maker_rows[0]
    half, third = Fraction(1, 2), Fraction(1, 3)
    assert (maker.presence, maker.mean_of_ratios, maker.coverage) == (half, half, third)


# BRCH-01 and BRCH-02 ------------------------------------------------------------------------------


@pytest.mark.criterion("BRCH-01")
@pytest.mark.parametrize("looked_at", [1501, 1799, None])
def test_a_breach_is_the_same_however_late_it_is_noticed(
    tmp_path: Path, looked_at: int | None
) -> None:
    d = desk(tmp_path, LAPSE, quotes=[quote(1000), gone(1200), quote(1800)])
    d.play(1201)
    if looked_at is not None:
        d.view(looked_at)
        assert d.transitions() == [("opened", "lapse", 1500, None)]
    d.play(1801)
    breach = d.view(1900).breaches[0]
    assert (breach.start, breach.end) == (1500, 1800)


@pytest.mark.criterion("BRCH-01")
def test_a_restart_finds_the_same_breaches(tmp_path: Path) -> None:
    quotes = [quote(1000), gone(1100), quote(1500), gone(1550)]
    whole, cut = desk(tmp_path, LAPSE, quotes=quotes), desk(tmp_path, LAPSE, quotes=quotes)
    whole.play(5000)
    cut.play(1450)  # within the lapse, breached since 1400
    data = snapshot(cut.engine)
    cut.engine = restore(data, [cut.book], {}, calendar=False)
    cut.play(5000)
    found = whole.view(2000).breaches
    assert [b.start for b in found] == [1400, 1850, 2000]
    assert [(b.id, b.start, b.end) for b in cut.view(2000).breaches] == [
        (b.id, b.start, b.end) for b in found
    ]


@pytest.mark.criterion("BRCH-02")
def test_each_transition_is_told_once(tmp_path: Path) -> None:
    d = desk(tmp_path, LAPSE, quotes=[quote(1000), gone(1100), quote(1600)])
    d.play(1500)
    d.view(1500)
    assert d.transitions() == [("opened", "lapse", 1400, None)]
    d.view(1550)
    assert d.transitions() == []
    d.play(3000)
    assert d.transitions() == [
        ("closed", "lapse", 1400, 1600),
        ("opened", "presence", 2000, None),
        ("closed", "presence", 2000, 2000),
    ]


@pytest.mark.criterion("BRCH-02")
def test_a_presence_breach_is_withdrawn_when_the_market_opens_again(tmp_path: Path) -> None:
    d = desk(tmp_path, quotes=[quote(1000), gone(1500)])
    engine = Engine([d.book], d.engine.reference, {}, calendar=False, phases_judge=True)
    quotes = d.tape.rows[d.tape.rows["kind"] == Kind.QUOTE]
    engine.control(PhaseRecord(1000, "*", "continuous"))
    engine.apply(Batch(quotes))
    engine.control(PhaseRecord(2000, "*", "closed"))
    told = [(e.action, e.breach.start) for e in engine.drain()]
    engine.control(PhaseRecord(2500, "*", "continuous"))
    told += [(e.action, e.breach.start) for e in engine.drain()]
    engine.control(PhaseRecord(3000, "*", "closed"))
    told += [(e.action, e.breach.start) for e in engine.drain()]
    assert told == [
        ("opened", 2000), ("closed", 2000), ("withdrawn", 2000), ("opened", 3000), ("closed", 3000),
    ]  # fmt: skip
