"""Writes a session as a capture directory, with the truth beside it.

quotes and theo are csv or parquet, the small tables always csv. Without disorder the lines are in
tape order; truth.json holds what a monitor has to find, and rulebook.toml appears where no shipped
rulebook fits.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mm_monitor.errors import MonitorError, unwritable
from mm_monitor.simulator.disorder import Disorder, Shuffler
from mm_monitor.simulator.reference import (
    CONTRACT_COLUMNS,
    MAKER_COLUMNS,
    contract_rows,
    maker_rows,
    names_of,
)
from mm_monitor.simulator.rows import NULL, QUOTE, THEO, Names, Rows
from mm_monitor.simulator.scenario import Scenario
from mm_monitor.simulator.session import Batch, Control, Session, controls
from mm_monitor.simulator.truth import truth

QUOTE_COLUMNS = ("ts_event", "maker", "contract", "bid_price", "bid_size", "ask_price", "ask_size")
THEO_COLUMNS = ("ts_event", "contract", "theo")
CONTROL_FILES = {
    "phase": ("phases", ("ts_event", "scope", "phase")),
    "exemption": ("exemptions", ("ts_event", "scope", "maker", "kind", "action")),
    "feed": ("feed", ("ts_event", "scope", "maker", "status")),
}
FORMATS = ("csv", "parquet")

Progress = Callable[[int, int, int], None]
"""Called with (session ns played, session ns in all, records so far)."""

RULEBOOK = """\
id = "simulated-exemptions"
version = 1
title = "The founding rule, with an exemption that leaves the denominator"
effective = 2018-01-01
verified = false
source = "made up by the simulator"

[spread]
combine = "max"
terms = [{ relative = "3%", of = "theo" }, { ticks = 1 }]

[theo]
when_missing = "unknown"

[presence]
required = "90%"

[exemptions]
technical = "exclude"
"""


class Table(Protocol):
    """A growing file of quotes or theos."""

    def write(self, rows: Rows) -> None:
        """Append rows."""

    def close(self) -> None:
        """Finish the file."""


class CsvTable:
    """quotes.csv or theo.csv: prices as decimal text."""

    def __init__(self, path: Path, dtype: Any, names: Names) -> None:
        self._file = path.open("w", encoding="utf-8", newline="")
        quotes = dtype == QUOTE
        self._columns: Callable[[Rows], Iterator[tuple[int | str, ...]]]
        self._columns = names.quote_columns if quotes else names.theo_columns
        self._file.write(",".join(QUOTE_COLUMNS if quotes else THEO_COLUMNS) + "\n")

    def write(self, rows: Rows) -> None:
        """Append rows."""
        self._file.writelines(",".join(map(str, row)) + "\n" for row in self._columns(rows))

    def close(self) -> None:
        """Finish the file."""
        self._file.close()


class ParquetTable:
    """quotes.parquet or theo.parquet: prices int64 10^-8, an absent one null."""

    GROUP = 200_000  # rows per row group

    def __init__(self, path: Path, dtype: Any, names: Names) -> None:
        try:
            import pyarrow
            import pyarrow.parquet as parquet
        except ImportError as error:
            raise MonitorError(
                "parquet needs pyarrow: pip install 'mm-monitor[parquet]'"
            ) from error
        self._arrow, self._names = pyarrow, names
        self._held: list[Any] = []
        self._schema = self._table(np.empty(0, dtype=dtype)).schema
        self._writer = parquet.ParquetWriter(path, self._schema)

    def write(self, rows: Rows) -> None:
        """Append rows; they reach the file a row group at a time."""
        self._held.append(self._table(rows))
        if sum(table.num_rows for table in self._held) >= self.GROUP:
            self._flush()

    def close(self) -> None:
        """Finish the file."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._held:
            self._writer.write_table(self._arrow.concat_tables(self._held))
            self._held = []

    def _table(self, rows: Rows) -> Any:
        columns = QUOTE_COLUMNS if rows.dtype == QUOTE else THEO_COLUMNS
        return self._arrow.table({column: self._column(rows, column) for column in columns})

    def _column(self, rows: Rows, column: str) -> Any:
        if column in ("maker", "contract"):
            names = self._names.makers if column == "maker" else self._names.contracts
            return self._arrow.array(
                [names[i - 1] for i in rows[column].tolist()], self._arrow.string()
            )
        values = rows[column].copy()
        absent = values == NULL if values.dtype.itemsize == 8 else None
        return self._arrow.array(values, mask=absent)


def write_capture(
    scenario: Scenario,
    directory: Path,
    fmt: str = "csv",
    *,
    disorder: Disorder | None = None,
    progress: Progress | None = None,
) -> Session:
    """Play `scenario` into `directory` (made if need be) and return the played session.

    `disorder` shuffles the lines of quotes and theo. Raises MonitorError for an unknown format,
    for parquet without pyarrow, for a directory with a recording that nobody simulated, and when
    it can't be written.
    """
    if fmt not in FORMATS:
        raise MonitorError(f"capture format must be one of {', '.join(FORMATS)}, got {fmt!r}")
    spare_recording(directory)
    session = Session(scenario)
    try:
        _write_small(scenario, directory)
        _write_rows(session, directory, fmt, disorder, progress)
        write_truth(session, directory / "truth.json")
    except OSError as error:
        raise MonitorError(f"{directory}: cannot be written: {unwritable(error)}") from error
    return session


def spare_recording(directory: Path) -> None:
    """A day that somebody recorded is not written over. Raises MonitorError.

    What a simulation wrote has its truth.json beside it, and may be replaced.
    """
    if (directory / "truth.json").exists():
        return
    for table in ("quotes", "theo", "contracts", "makers"):
        for ending in FORMATS:
            if (directory / f"{table}.{ending}").exists():
                raise MonitorError(
                    f"{directory}: has a {table}.{ending} and no truth.json, so no simulation wrote it; "
                    "choose another directory, or remove it"
                )


def write_reference(scenario: Scenario, directory: Path) -> None:
    """Write contracts.csv and makers.csv, which a monitor of the live session reads too."""
    directory.mkdir(parents=True, exist_ok=True)
    write_csv(directory / "contracts.csv", CONTRACT_COLUMNS, contract_rows(scenario))
    write_csv(directory / "makers.csv", MAKER_COLUMNS, maker_rows(scenario))


def write_rulebook(directory: Path, text: str) -> None:
    """Write rulebook.toml, by which the live session is to be judged."""
    _write_text(directory / "rulebook.toml", text)


def write_truth(session: Session, path: Path) -> None:
    """Write truth.json of a session that has been played to its end."""
    _write_text(path, json.dumps(truth(session), indent=2, sort_keys=True) + "\n")


def _write_small(scenario: Scenario, directory: Path) -> None:
    write_reference(scenario, directory)
    for record, (name, columns) in CONTROL_FILES.items():
        rows = [_control_row(c) for c in controls(scenario) if c.record == record]
        write_csv(directory / f"{name}.csv", columns, rows)
    if scenario.rulebook == "simulated-exemptions":
        _write_text(directory / "rulebook.toml", RULEBOOK)


def _control_row(control: Control) -> dict[str, str]:
    return {"ts_event": str(control.ts), **control.fields}


def write_csv(path: Path, columns: Iterable[str], rows: Iterable[dict[str, str]]) -> None:
    """Write one small table."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(columns), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _write_rows(
    session: Session,
    directory: Path,
    fmt: str,
    disorder: Disorder | None,
    progress: Progress | None,
) -> None:
    table = CsvTable if fmt == "csv" else ParquetTable
    names = names_of(session.scenario)
    quotes: Table = table(directory / f"quotes.{fmt}", QUOTE, names)
    theos: Table = table(directory / f"theo.{fmt}", THEO, names)
    try:
        for batch in disordered(session.batches(), disorder):
            quotes.write(batch.quotes)
            theos.write(batch.theos)
            if progress:
                report(session, batch.end, progress)
    finally:
        quotes.close()
        theos.close()


def disordered(batches: Iterator[Batch], disorder: Disorder | None) -> Iterator[Batch]:
    """The same batches with their quotes and theos delayed; control records stay where they are."""
    if disorder is None:
        yield from batches
        return
    quotes, theos, end = Shuffler(disorder, QUOTE), Shuffler(disorder, THEO), 0
    for batch in batches:
        end = batch.end
        late_quotes, late_theos = quotes.push(batch.quotes, end), theos.push(batch.theos, end)
        yield Batch(batch.start, end, late_quotes, late_theos, batch.controls)
    yield Batch(end, end, quotes.flush(), theos.flush())


def report(session: Session, played_to: int, progress: Progress) -> None:
    """Tell `progress` how far a session has come."""
    scenario = session.scenario
    done = min(max(played_to - scenario.start, 0), scenario.end - scenario.start)
    progress(done, scenario.end - scenario.start, session.counts.total())
