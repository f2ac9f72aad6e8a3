"""L1: quoted + lapsed + exempt + unknown = obliged time, for every slot, whenever one looks (PRES-01)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_monitor.core.batch import THEO_DELTA, Batch
from mm_monitor.core.model import Control, Kind
from mm_monitor.core.view import StatusView
from tests.laws.obliged import Duty, Pair, Theo, obliged
from tests.laws.tapes import CLASSES, CONTRACTS, SERIES, Case, cases, tape_of


def duty_of(case: Case, rulebook: str) -> Duty:
    """The duties before the tape."""
    return Duty(
        rulebook,
        judged_by_phases=case.mode in ("feed", "phases"),
        classes=dict(CLASSES),
        live=set(CONTRACTS[:3]),
        appointed={("M0", "*"), ("M1", "K0")},
        rules=next(book.required_set for book in case.rulebooks if book.id == rulebook),
        series={name: SERIES[name] for name in CONTRACTS[:3]},
        ticks=dict.fromkeys(CONTRACTS[:3], "0.00000001"),
    )


def spoken_by(row: np.void, controls: Mapping[int, Control]) -> Control | Theo | None:
    """What a row says of who is obliged when: quotes say nothing."""
    if row["kind"] == Kind.QUOTE:
        return None
    if row["kind"] != Kind.THEO:
        return controls[int(row["a"])]
    delta = int(row["b"]) if row["flags"] & THEO_DELTA else None
    return int(row["ts"]), CONTRACTS[int(row["contract"])], delta


def accounted(view: StatusView) -> Counter[Pair]:
    """The sum of what each obligation's time was counted as."""
    o, found = view.obligations, Counter[Pair]()
    for k in range(len(o.maker)):
        pair = view.makers[o.maker[k]], view.contracts[o.contract[k]]
        assert min(o.quoted[k], o.lapsed[k], o.exempt[k], o.unknown[k]) >= 0
        assert o.lapsed[k] == sum(o.lapsed_by_reason[k])
        assert o.current_lapse[k] <= o.longest_lapse[k] <= o.lapsed[k]
        found[pair] = int(o.quoted[k] + o.lapsed[k] + o.exempt[k] + o.unknown[k])
    return +found


@pytest.mark.criterion("PRES-01")
@given(cases(), st.lists(st.integers(0, 10_000), max_size=3), st.integers(0, 9))
def test_all_obliged_time_is_accounted_for(case: Case, cuts: list[int], wait: int) -> None:
    rows, controls = tape_of(case)
    engine, at = case.engine(), 0
    for cut in sorted({len(rows), *(cut % (len(rows) + 1) for cut in cuts)}):
        engine.apply(Batch(rows[at:cut], controls))
        at = cut
        for book, view in zip(
            case.rulebooks, engine.at(int(rows["ts"][at - 1]) + wait * case.step // 2), strict=True
        ):
            # where rests count back the picture is of an instant before
            seen = rows[:at][rows["ts"][:at] <= view.at]
            spoken = [x for row in seen if (x := spoken_by(row, controls)) is not None]
            assert accounted(view) == +obliged(duty_of(case, book.id), spoken, view.at)
