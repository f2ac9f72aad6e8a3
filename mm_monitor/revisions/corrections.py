"""Records that are added to a recorded day, or taken out of it: two directories with the tables of a capture.

An added record comes after all others of its instant and kind, so that it replaces what another said of the same thing
then. A removed one names a record by its time and what it is about; one that is not there is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mm_monitor.core.batch import Decoded, Rows
from mm_monitor.core.model import Control, Kind, PhaseRecord
from mm_monitor.core.reference import ALL, Reference
from mm_monitor.errors import InputError
from mm_monitor.revisions.changes import Change, changes_of, plain
from mm_monitor.sources.capture import CaptureSource
from mm_monitor.sources.preceded import kept
from mm_monitor.sources.protocol import Delivery, FiniteSource

FIRST_PART = (
    60_000  # behind every part of a service or capture, so that a correction has the last word
)
PARTS_EACH = 20  # parts of one directory
Correction = tuple[Path | None, Path | None]  # records to add, records to remove


class Corrections:
    """Of any number of revisions, in their order."""

    def __init__(self, reference: Reference) -> None:
        self._reference = reference
        self.added: list[Delivery] = []
        self.removed: list[Delivery] = []
        self.part_names: dict[int, tuple[str, int]] = {}
        self.changes: list[Change] = []
        self._taken = 0

    async def take(self, directory: Path, *, remove: bool = False) -> None:
        """Read a directory of tables. InputError for a line that cannot be used, and for a directory without any."""
        source = CaptureSource(directory, self._reference, needs_quotes=False)
        await source.start()
        if not source.parts:
            raise InputError("a table of corrections, such as quotes.csv", file=str(directory))
        found: list[Delivery] = []
        while not source.finished:
            found += await source.poll()
        for delivery in found:
            for letter in delivery.decoded.dead:
                file = directory / letter.raw.topic
                raise InputError(letter.detail, file=str(file), line=letter.raw.offset)
            self._keep(delivery, source.part_names, remove=remove)
        self._taken += 1

    def _keep(
        self, delivery: Delivery, names: Mapping[int, tuple[str, int]], *, remove: bool
    ) -> None:
        part = FIRST_PART + self._taken * PARTS_EACH + delivery.part
        rows = delivery.decoded.rows.copy()
        rows["part"] = part
        moved = Delivery(part, Decoded(rows, delivery.decoded.controls), delivery.records)
        (self.removed if remove else self.added).append(moved)
        self.part_names[part] = names[delivery.part]
        what = "removed" if remove else "added"
        self.changes += changes_of(what, rows, moved.decoded.controls, self._reference)


class CorrectedSource:
    """`base` with the corrections of these directories (the second of a pair is what is removed), in their order.

    In all else it is that source.
    """

    def __init__(
        self, base: FiniteSource, reference: Reference, directories: Sequence[Correction]
    ) -> None:
        self._base, self._directories = base, directories
        self._corrections = Corrections(reference)
        self._ahead: list[Delivery] = []
        self._missing: list[tuple[np.void, Control | None]] = []

    async def start(self) -> None:
        """Open the base, and read all corrections. InputError for what cannot be used."""
        await self._base.start()
        for added, removed in self._directories:
            if added is not None:
                await self._corrections.take(added)
            if removed is not None:
                await self._corrections.take(removed, remove=True)
        self._ahead = list(self._corrections.added)
        self._missing = [
            (row, _control(row, delivery.decoded.controls))
            for delivery in self._corrections.removed
            for row in delivery.decoded.rows
        ]

    @property
    def changes(self) -> list[Change]:
        """What the corrections are, in words."""
        return self._corrections.changes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._base, name)

    @property
    def finished(self) -> bool:
        """Has everything been delivered? InputError if a record that was to be removed never came."""
        if self._ahead or not self._base.finished:
            return False
        for row, control in self._missing:
            what = "record" if control is None else type(control).__name__
            raise InputError(f"removed: no {what} of ts_event {int(row['ts'])} is like it")
        return True

    @property
    def part_names(self) -> Mapping[int, tuple[str, int]]:
        """Where everything came from."""
        return {**self._base.part_names, **self._corrections.part_names}

    @property
    def star_phases(self) -> tuple[int, int] | None:
        """As of the base, with the phases that were added."""
        added = [
            control.ts
            for delivery in self._corrections.added
            for control in delivery.decoded.controls
            if isinstance(control, PhaseRecord) and control.scope == ALL
        ]
        both = [*(self._base.star_phases or ()), *added]
        return (min(both), max(both)) if both else None

    def quote_dates(self, date_of: Callable[[int], str]) -> set[str]:
        """Those of the base."""
        return self._base.quote_dates(date_of)

    async def poll(self) -> Sequence[Delivery]:
        """First what was added, then the base without what was removed."""
        if self._ahead:
            ahead, self._ahead = self._ahead, []
            return ahead
        return [self._without(delivery) for delivery in await self._base.poll()]

    def _without(self, delivery: Delivery) -> Delivery:
        rows, controls = delivery.decoded.rows, delivery.decoded.controls
        gone = np.zeros(len(rows), np.bool_)
        missing = []
        for row, control in self._missing:
            same = _like(rows, controls, row, control)
            gone |= same
            if not same.any():
                missing.append((row, control))
        self._missing = missing
        if not gone.any():
            return delivery
        return Delivery(delivery.part, kept(delivery.decoded, ~gone), delivery.records)


def _control(row: np.void, controls: Sequence[Control]) -> Control | None:
    return controls[int(row["a"])] if int(row["kind"]) not in (Kind.QUOTE, Kind.THEO) else None


def _like(
    rows: Rows, controls: Sequence[Control], row: np.void, control: Control | None
) -> NDArray[np.bool_]:
    """Rows that say the same: quotes and theos by time, maker and contract, others by all that they say."""
    same: NDArray[np.bool_] = (rows["ts"] == row["ts"]) & (rows["kind"] == row["kind"])
    if control is None:
        same &= (rows["maker"] == row["maker"]) & (rows["contract"] == row["contract"])
        return same
    for i in np.flatnonzero(same).tolist():
        same[i] = plain(controls[int(rows["a"][i])]) == plain(control)
    return same
