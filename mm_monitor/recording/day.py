"""A recorded day as it was judged in the end: rows and controls on a directory of names of its own, and what came late.

Of several lives of the service each begins where its checkpoint stood; what an earlier one had written from there on
was judged again and is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mm_monitor.core.batch import Rows, empty_rows, is_control
from mm_monitor.core.model import Control, Kind, PeriodRecord, PhaseRecord, ReferenceRecord
from mm_monitor.core.reference import Reference
from mm_monitor.core.reference_rows import BadRow, announce
from mm_monitor.core.snapshot import reference_from
from mm_monitor.errors import InputError
from mm_monitor.recording.frames import Frame, frames

NEVER = -(2**63 - 1)
_NO_DAY = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)


@dataclass(slots=True)
class Tape:
    """Rows in the order in which they were written; `a` of a row that stands for a control is its index."""

    rows: Rows = field(default_factory=lambda: empty_rows(0))
    controls: list[Control] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RecordedDay:
    """All that a file says. `judged` begins with what stood when the date began."""

    date: str
    reference: Reference
    judged: Tape
    late: Tape
    part_names: Mapping[int, tuple[str, int]]
    watermarks: Sequence[tuple[int, int]]  # (our clock, watermark) as they were written, ascending
    dead: int  # records that could not be read, and so are not in it
    gaps: int  # rows that were judged and not written
    midway: bool  # was something judged before it begins?

    def watermark_at(self, instant: int) -> int | None:
        """Before which event time all was judged at `instant` of the monitor's clock; None: nothing yet."""
        found = [mark for now, mark in self.watermarks if now <= instant and mark > NEVER]
        return max(found, default=None)


def read_day(path: Path) -> RecordedDay:
    """Read a file. InputError if it is damaged, is no recorded day, or nothing was judged in it."""
    reading = _Reading()
    try:
        for frame in frames(path):
            reading.take(frame)
        if reading.opening is None:
            raise InputError("nothing was judged on that date", file=str(path))
        return reading.done(path.stem)
    except _NO_DAY as error:  # its checksums are right: something else wrote it
        what = f"is no recorded day: {type(error).__name__}: {error}"[:300]
        raise InputError(what, file=str(path)) from None


@dataclass(slots=True)
class _Names:
    """What the numbers of one life stand for, by number."""

    contracts: dict[int, str] = field(default_factory=dict)
    makers: dict[int, str] = field(default_factory=dict)
    accounts: dict[int, str] = field(default_factory=dict)
    vias: dict[int, tuple[str, str, str]] = field(default_factory=dict)

    def learn(self, frame: Frame) -> None:
        """A frame's new names; an account's number counts from 1."""
        self.contracts.update(enumerate(frame["contracts"], len(self.contracts)))
        self.makers.update(enumerate(frame["makers"], len(self.makers)))
        self.accounts.update(enumerate(frame["accounts"], len(self.accounts) + 1))
        self.vias.update(
            (n, (s, v, q)) for n, (s, v, q) in enumerate(frame["vias"], len(self.vias))
        )

    @classmethod
    def of(cls, frame: Frame) -> _Names:
        """Those of a frame that says all that it needs."""
        told = {n: {int(i): v for i, v in frame[n].items()}
                for n in ("contracts", "makers", "accounts", "vias")}  # fmt: skip
        told["vias"] = {i: tuple(via) for i, via in told["vias"].items()}
        return cls(**told)


@dataclass(slots=True)
class _Piece:
    seq: int
    rows: Rows
    controls: Sequence[Control]
    names: _Names
    dead: int = 0


class _Reading:
    def __init__(self) -> None:
        self.opening: Frame | None = None
        self._first = 0  # number of the first row of the date
        self._pieces: list[_Piece] = []
        self._late_pieces: list[_Piece] = []
        self._names = _Names()
        self._parts: dict[int, tuple[str, int]] = {}
        self._marks: list[tuple[int, int]] = []

    def take(self, frame: Frame) -> None:
        """One frame, in their order."""
        {"life": self._life, "judged": self._judged, "late": self._late}[frame["frame"]](frame)

    def _life(self, frame: Frame) -> None:
        seq = frame["seq"]
        if frame["opening"] is not None:
            self.opening, self._first = frame["opening"], seq
        kept = [piece for piece in self._pieces if piece.seq < seq]
        if kept:
            kept[-1].rows = kept[-1].rows[: seq - kept[-1].seq]
        self._pieces = kept
        self._names = _Names()

    def _judged(self, frame: Frame) -> None:
        self._names.learn(frame)
        self._parts.update((n, (topic, partition)) for n, topic, partition in frame["parts"])
        rows = frame["rows"] if frame["rows"] is not None else empty_rows(0)
        self._pieces.append(_Piece(frame["seq"], rows, frame["controls"], self._names,
                                   frame["dead"]))  # fmt: skip
        self._marks.append((frame["now"], frame["watermark"]))

    def _late(self, frame: Frame) -> None:
        for n, topic, partition in frame["parts"]:
            self._parts.setdefault(n, (topic, partition))
        names = _Names.of(frame)
        self._late_pieces.append(_Piece(0, frame["rows"], frame["controls"], names))

    def done(self, date: str) -> RecordedDay:
        """The whole day on names of its own."""
        assert self.opening is not None
        reference = reference_from(self.opening["reference"])
        for account in reference.accounts:
            _account(reference, account)
        every = [*self._pieces, *self._late_pieces]
        for record in self.opening["told"]:
            _announce(reference, record)
        for piece in every:
            for control in piece.controls:
                _announce(reference, control)
        opening = _Piece(-1, self.opening["rows"], self.opening["controls"], _names_of(reference))
        # The directory is that of the first life, whose numbers these rows have.
        judged = _joined([opening, *self._pieces], reference, self.opening["told"])
        late = _once(_joined(self._late_pieces, reference, ()), judged)
        for tape in (judged, late):
            _check(tape.rows, reference)
            _open_accounts(reference, tape.rows)
        return RecordedDay(
            date=date, reference=reference, judged=judged, late=late, part_names=self._parts,
            watermarks=sorted(self._marks), dead=sum(p.dead for p in self._pieces),
            gaps=_gaps(self._first, self._pieces), midway=self.opening["midway"],
        )  # fmt: skip


def _announce(reference: Reference, record: Control) -> None:
    if isinstance(record, ReferenceRecord):
        try:
            announce(reference, record)
        except BadRow:
            return  # refused when it is judged, as it was then


def _names_of(reference: Reference) -> _Names:
    return _Names(
        dict(enumerate(contract.name for contract in reference.contracts)),
        dict(enumerate(reference.makers)),
        dict(enumerate(reference.account_numbers, 1)),
        dict(enumerate(reference.theo_vias)),
    )


def _joined(
    pieces: Sequence[_Piece], reference: Reference, told: Sequence[ReferenceRecord]
) -> Tape:
    """The pieces one behind the other, on the names of `reference`, without what a calendar said."""
    tape = Tape()
    found = []
    for piece in pieces:
        rows = _renamed(piece.rows, piece.names, reference)
        which = np.flatnonzero(is_control(rows))
        drop = []
        for i in which.tolist():
            control = piece.controls[int(rows["a"][i])]
            if _of_calendar(control):
                drop.append(i)
            else:
                rows["a"][i] = len(tape.controls)
                tape.controls.append(control)
        found.append(np.delete(rows, drop) if drop else rows)
    for i, record in enumerate(told):
        row = empty_rows(1)
        row["ts"], row["kind"], row["offset"], row["a"] = (
            record.ts,
            Kind.REFERENCE,
            i,
            len(tape.controls),
        )
        tape.controls.append(record)
        found.append(row)
    tape.rows = np.concatenate([empty_rows(0), *found])
    return tape


def _of_calendar(record: Control) -> bool:
    """Whoever judges a day knows the calendar, and may want another."""
    return isinstance(record, PeriodRecord) or (
        isinstance(record, PhaseRecord) and bool(record.rulebook)
    )


def _renamed(rows: Rows, names: _Names, reference: Reference) -> Rows:
    rows = rows.copy()
    for column, known, index in (
        ("contract", names.contracts, lambda name: reference.contract_index[name]),
        ("maker", names.makers, reference.maker),
        ("account", names.accounts, lambda name: _account(reference, name)),
    ):
        _map(rows, column, known, index)
    theo = rows["kind"] == Kind.THEO
    if theo.any():
        part = rows[theo]
        _map(part, "a_size", names.vias, reference.via)
        rows[theo] = part
    return rows


def _account(reference: Reference, name: str) -> int:
    """The number of an account; one that was opened in the course of the date gets one now."""
    numbers = reference.account_numbers
    return numbers.setdefault(name, len(numbers) + 1)


def _open_accounts(reference: Reference, rows: Rows) -> None:
    """Accounts that no record of the tape opened: whose they were, their quotes say."""
    names = list(reference.account_numbers)
    ours = rows[(rows["account"] > 0) & (rows["maker"] >= 0)]
    for account, maker in np.unique(ours[["account", "maker"]]).tolist():
        if names[account - 1] not in reference.accounts:
            reference.open_account(names[account - 1], reference.makers[maker])


def _map(rows: Rows, column: str, known: Mapping[int, Any], index: Any) -> None:
    numbers = rows[column]
    if not len(numbers) or int(numbers.max()) < 0:
        return
    most = int(numbers.max())
    if most > max(known, default=0):
        raise ValueError(f"{column} {most} has no name")
    table = np.arange(most + 1, dtype=numbers.dtype)
    for number in np.unique(numbers[numbers >= 0]).tolist():
        if number in known:
            table[number] = index(known[number])
    good = numbers >= 0
    rows[column] = np.where(good, table[np.maximum(numbers, 0)], numbers)


def _check(rows: Rows, reference: Reference) -> None:
    """ValueError for a row of a contract or maker that is not there: whoever judges takes its number for a place."""
    for column, count in (("contract", len(reference.contracts)), ("maker", len(reference.makers))):
        if len(rows) and not -1 <= int(rows[column].min()) <= int(rows[column].max()) < count:
            raise ValueError(f"a {column} that has no name")


def _once(late: Tape, judged: Tape) -> Tape:
    """Late rows, each once, without those that a later life judged in time."""
    near = judged.rows[np.isin(judged.rows["ts"], late.rows["ts"])]
    seen = set(_keys(near))
    keep = []
    for key in _keys(late.rows):
        keep.append(key not in seen)
        seen.add(key)
    return Tape(late.rows[np.array(keep, np.bool_)], late.controls)


def _keys(rows: Rows) -> list[tuple[int, ...]]:
    names = ("ts", "kind", "part", "offset", "sub")
    return list(zip(*(rows[name].tolist() for name in names), strict=True))


def _gaps(first: int, pieces: Sequence[_Piece]) -> int:
    """Rows before the pieces, from number `first` on, and between them, that are in none."""
    missing = 0
    for piece in pieces:
        missing += max(0, piece.seq - first)
        first = piece.seq + len(piece.rows)
    return missing
