"""What every section of the details report may read of a period."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mm_monitor.core.rules.judging import Judging
from mm_monitor.core.view import ObligationColumns, StatusView
from mm_monitor.core.watch.watched import Watch
from mm_monitor.reports.sums import Key, Row, sum_rows


@dataclass(frozen=True, slots=True)
class Period:
    """The final pictures of the trading dates, at least one, all under one rulebook, and their sums."""

    days: Sequence[StatusView]
    judging: Judging
    rows: Mapping[Key, Row]
    watch: Watch | None = None  # where somebody watched
    resolution: int = 1  # ns, of the clock that wrote ts_event

    @classmethod
    def of(
        cls,
        days: Sequence[StatusView],
        judging: Judging,
        watch: Watch | None = None,
        resolution: int = 1,
    ) -> Period:
        """Sum those days."""
        return cls(days, judging, sum_rows(days), watch, resolution)

    def slots(self) -> Iterator[tuple[Key, ObligationColumns, int]]:
        """Every obligation of every day, dates ascending: its key, the day's columns, and its place in them."""
        for view in self.days:
            o = view.obligations
            pairs = zip(o.maker.tolist(), o.contract.tolist(), strict=True)
            for i, (maker, contract) in enumerate(pairs):
                yield (view.makers[maker], view.contracts[contract]), o, i
