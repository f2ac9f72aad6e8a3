"""Where the day is heading: by hand, and against a simulation of the stated model."""

from __future__ import annotations

import random
from dataclasses import replace
from statistics import fmean

import pytest

from mm_monitor import outlook
from mm_monitor.core.view import StatusView
from tests.unit.sinks.builders import S, Slot, view


def one(**columns: int) -> StatusView:
    """One obligation: 100 s quoted, so many lapsed, so many still to come."""
    slot = Slot(
        "M0", "C0", "A", quoted=100, lapsed=columns.get("lapsed", 0),
        remaining=columns.get("remaining", 100), state=columns.get("state", 0),
    )  # fmt: skip
    made = view([slot])
    made.obligations.lapses[:] = columns.get("lapses", 0)
    row = replace(made.maker_rows[0], slack=columns["slack"] * S)
    return replace(made, maker_rows=[row])


def seen(made: StatusView) -> outlook.Outlook:
    return outlook.of_rows(made)[0][0]


def test_at_the_present_burn() -> None:
    assert seen(one(slack=8, state=3, lapses=1, lapsed=1)).to_unreachable == 8 * S
    assert seen(one(slack=8)).to_unreachable is None  # nothing burns
    assert seen(one(slack=120, state=3)).to_unreachable is None  # the close comes first
    assert seen(one(slack=-1, state=3)).to_unreachable == 0
    assert seen(one(slack=8, state=3, remaining=0)) == outlook.Outlook(None, None)


def test_the_chance_at_its_ends() -> None:
    assert seen(one(slack=8)).failure == 0.0  # never lapsed
    assert seen(one(slack=-1)).failure == 1.0
    # U = 10 s and D = 1 s: of 110 s it loses 10 s in the mean
    assert seen(one(slack=10, lapses=10, lapsed=10, remaining=110)).failure == pytest.approx(0.5)


def test_the_chance_is_that_of_the_model() -> None:
    draw, losses = random.Random(1), []
    for _ in range(4_000):
        t = lost = 0.0
        while t < 400:
            up, down = draw.expovariate(1 / 10), draw.expovariate(1.0)
            lost += max(0.0, min(down, 400 - t - up))
            t += up + down
        losses.append(lost)
    for slack in (25, 36, 50):
        found = seen(one(slack=slack, lapses=10, lapsed=10, remaining=400)).failure
        assert found == pytest.approx(fmean(lost > slack for lost in losses), abs=0.06)
