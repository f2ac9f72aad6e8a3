"""The ledger of days: a directory with one JSON file for each finished trading date and rulebook.

A date that is judged again, by another replay or after the market opened once more, replaces its file whole.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog

from mm_monitor.core.engine import Engine
from mm_monitor.core.rules.judging import Judging
from mm_monitor.core.view import StatusView
from mm_monitor.errors import InputError, MonitorError
from mm_monitor.reports.day import Day, day_record, read_day
from mm_monitor.reports.report import to_bytes

log = structlog.get_logger("mm_monitor.ledger")


def write_day(directory: Path, record: Mapping[str, Any]) -> Path:
    """Put a date into the ledger; the file is there whole or not at all. OSError if it cannot be written."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{record['trading_date']}.{record['rulebook']['id']}.json"
    draft = path.with_suffix(".json.new")
    with draft.open("wb") as file:
        file.write(to_bytes(record))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    return path


def read_ledger(directory: Path) -> list[Day]:
    """Every date, by date and rulebook. InputError for a directory or a file that is no ledger's."""
    if not directory.is_dir():
        raise InputError("no such directory", file=str(directory))
    days = [_read(path) for path in sorted(directory.glob("*.json"))]
    if not days:
        raise InputError("no days: files such as 2025-08-01.RULEBOOK.json", file=str(directory))
    return sorted(days, key=lambda day: (day.trading_date, day.rulebook))


def _read(path: Path) -> Day:
    try:
        return read_day(json.loads(path.read_bytes()))
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=str(path)) from None
    except (
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        ZeroDivisionError,
        RecursionError,
    ) as error:
        detail = f"no day of a ledger: {type(error).__name__}: {error}"
        raise InputError(detail, file=str(path)) from None


class LiveLedger:
    """Writes the dates of a running engine as they end. An empty directory name turns it off."""

    def __init__(self, directory: str, failed: Callable[[], None] = lambda: None) -> None:
        self._directory = Path(directory) if directory else None
        self._failed = failed
        self._written: dict[tuple[str, int | None], StatusView] = {}  # rulebook, start -> picture
        if self._directory is not None:
            try:
                self._directory.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise MonitorError(f"ledger.directory: {directory}: {error.strerror}") from None

    def keep(self, engine: Engine) -> None:
        """Write what has ended since the last call; a disk that fails is tried again at the next."""
        if self._directory is None:
            return
        for evaluator in engine.evaluators:
            finals: Sequence[StatusView] = evaluator.ledger[-2:]
            for view in [*finals, *([evaluator.final] if evaluator.final else [])]:
                key = (view.rulebook_id, view.period_start)
                if self._written.get(key) is view:
                    continue
                judging = Judging.of(evaluator.rulebook, evaluator.reference.contracts)
                try:
                    write_day(self._directory, day_record(view, judging, evaluator.rulebook))
                except OSError as error:
                    log.error("ledger", file=str(self._directory), error=error.strerror)
                    self._failed()
                    return
                self._written[key] = view
