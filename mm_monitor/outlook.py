"""Where the day is heading: time until out of reach at the present burn, and the chance to fail, by a stated model.

For screens and metrics only: floats are fine here, because nothing is decided by them. The model is in
`docs/specs/presence.md`, under PRES-04.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import erfc, sqrt

import numpy as np

from mm_monitor.core.model import State
from mm_monitor.core.view import PresenceRow, StatusView

FAR = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Outlook:
    """Of a maker, a maker in a class, or an obligation. None where there is nothing to say."""

    to_unreachable: int | None  # ns; None also when it would not get there before the close
    failure: float | None  # probability of failing by the close


@dataclass(frozen=True, slots=True)
class _Runs:
    """What an outlook is made of; ns, sums over obligations."""

    margin: int | None  # that may still be lost, unknown time not lost
    burning: int  # obligations lapsed now
    remaining: int
    horizon: int  # the most that any of them has left
    quoted: int
    lapsed: int
    lapses: int


def of_rows(view: StatusView) -> tuple[list[Outlook], list[Outlook]]:
    """Outlooks of `view.maker_rows` and of `view.class_rows`, in their order."""
    columns = view.obligations
    maker = {name: i for i, name in enumerate(view.makers)}
    klass = {name: i for i, name in enumerate(view.classes)}
    cells = columns.maker.astype(np.int64) * max(1, len(view.classes)) + columns.klass
    size = max(1, len(view.makers)) * max(1, len(view.classes))
    lapses, horizon = np.zeros(size, np.int64), np.zeros(size, np.int64)
    np.add.at(lapses, cells, columns.lapses)
    np.maximum.at(horizon, cells, columns.remaining)
    shape = (max(1, len(view.makers)), max(1, len(view.classes)))
    lapses, horizon = lapses.reshape(shape), horizon.reshape(shape)
    makers = [
        _outlook(_of_row(row, int(lapses[maker[row.maker]].sum()), int(horizon[maker[row.maker]].max())))
        for row in view.maker_rows
    ]  # fmt: skip
    classes = []
    for row in view.class_rows:
        at = maker[row.maker], klass[row.klass]
        classes.append(_outlook(_of_row(row, int(lapses[at]), int(horizon[at]))))
    return makers, classes


def of_obligation(view: StatusView, i: int) -> Outlook:
    """Outlook of the obligation at index `i` of the view's columns."""
    c = view.obligations
    margin = None if view.required is None else int(c.slack[i]) + int(c.unknown[i])
    remaining = int(c.remaining[i])
    burning = int(c.state[i] >= State.LAPSED and bool(c.obliged[i]))
    return _outlook(
        _Runs(margin, burning, remaining, remaining, int(c.quoted[i]), int(c.lapsed[i]), int(c.lapses[i]))
    )  # fmt: skip


def _of_row(row: PresenceRow, lapses: int, horizon: int) -> _Runs:
    margin = None if row.slack is None else row.slack + row.unknown
    return _Runs(margin, row.lapsed_slots, row.remaining, horizon, row.quoted, row.lapsed, lapses)


def _outlook(runs: _Runs) -> Outlook:
    if runs.margin is None or not runs.remaining:
        return Outlook(None, None)
    return Outlook(_to_unreachable(runs, runs.margin), _failure(runs, runs.margin))


def _to_unreachable(runs: _Runs, margin: int) -> int | None:
    if margin < 0:
        return 0
    if not runs.burning:
        return None
    time = margin // runs.burning
    return time if time < runs.horizon else None


def _failure(runs: _Runs, margin: int) -> float:
    """P(lost > margin): lost time of alternating renewals with these mean runs, as a normal variable."""
    if margin < 0:
        return 1.0
    if not runs.lapses:
        return 0.0
    up, down = runs.quoted / runs.lapses, runs.lapsed / runs.lapses
    mean = runs.remaining * down / (up + down)
    spread = sqrt(2 * runs.remaining * up * up * down * down / (up + down) ** 3)
    if spread == 0:
        return 1.0 if mean > margin else 0.0
    return 0.5 * erfc((margin - mean) / (spread * sqrt(2)))
