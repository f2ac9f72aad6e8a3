"""One maker's own part of a picture: what a maker may see who must see nothing of the others.

Names of contracts and classes are the market's and stay; market holes are of all makers together and go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mm_monitor.core.conduct import ConductView
from mm_monitor.core.view import StatusView

T = TypeVar("T")


def own_view(view: StatusView, maker: str) -> StatusView:
    """The picture as if `maker` were the only one; of a name that is not there, a picture of nobody."""
    index = list(view.makers).index(maker) if maker in view.makers else -1
    mask = view.obligations.maker == index
    obligations = _chosen(view.obligations, mask)
    mine = np.array([row.maker == maker for row in view.class_rows], dtype=np.bool_)
    return replace(
        view,
        makers=(maker,) if index >= 0 else (),
        obligations=replace(obligations, maker=np.zeros(int(mask.sum()), dtype=np.int32)),
        maker_rows=_of(view.maker_rows, maker),
        class_rows=_of(view.class_rows, maker),
        market_hole=(),
        latency=view.latency[mine] if len(view.latency) else view.latency,
        rfq=_of(view.rfq, maker),
        profile=_of(view.profile, maker),
        breaches=_of(view.breaches, maker),
        conduct=ConductView(
            **{f.name: _of(getattr(view.conduct, f.name), maker) for f in fields(ConductView)}
        ),
    )


def _of(rows: Sequence[T], maker: str) -> tuple[T, ...]:
    return tuple(row for row in rows if row.maker == maker)  # type: ignore[attr-defined]


def _chosen(columns: Any, mask: NDArray[np.bool_]) -> Any:
    """The elements that `mask` chooses of every column, also of the columns that are kept in groups."""
    return replace(
        columns, **{f.name: _part(getattr(columns, f.name), mask) for f in fields(columns)}
    )


def _part(column: Any, mask: NDArray[np.bool_]) -> Any:
    if isinstance(column, np.ndarray):
        return column[mask]
    if is_dataclass(column):
        return _chosen(column, mask)
    if isinstance(column, list | tuple):
        if column and is_dataclass(column[0]):
            return tuple(_chosen(group, mask) for group in column)
        return [column[i] for i in np.flatnonzero(mask).tolist()] if column else column
    return column  # of the group as a whole
