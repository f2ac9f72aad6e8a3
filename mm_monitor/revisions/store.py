"""Revisions of a date's report as files: numbered from 0, each written once and never again.

A directory for each date and rulebook. `report-N.json` is the report as `replay` writes it, `revision-N.json` says who
published it when and why, what it was made of, and what it changes; it names the hash of the one before.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from mm_monitor.errors import InputError, MonitorError
from mm_monitor.reports.report import to_bytes
from mm_monitor.revisions.corrections import Correction

SCHEMA = "mm-monitor/revision/1"


@dataclass(frozen=True, slots=True)
class Revision:
    """A published revision: `about` is its revision-N.json, `report` its report-N.json."""

    number: int
    about: Mapping[str, Any]
    report: Mapping[str, Any]


class Revisions:
    """Those of one date under one rulebook, in `directory`/DATE/RULEBOOK."""

    def __init__(self, directory: Path, date: str, rulebook: str) -> None:
        self.place = directory / date / rulebook

    def numbers(self) -> list[int]:
        """Numbers of the revisions that are there, ascending."""
        names = [path.stem.removeprefix("revision-") for path in self.place.glob("revision-*.json")]
        return sorted(int(name) for name in names if name.isdigit())

    def read(self, number: int) -> Revision:
        """One of them. InputError if it is not what was written."""
        path = self.place / f"revision-{number}.json"
        try:
            about = json.loads(path.read_bytes())
            data = (self.place / f"report-{number}.json").read_bytes()
            report = json.loads(data)
        except (OSError, ValueError, RecursionError) as error:
            raise InputError(f"a revision that can be read ({error})", file=str(path)) from None
        if not isinstance(about, dict) or not isinstance(about.get("published_at"), int):
            raise InputError("a revision, with the instant when it was published", file=str(path))
        if sha256(data).hexdigest() != about.get("report_sha256"):
            raise InputError("its report was changed after it was published", file=str(path))
        return Revision(number, about, report)

    def newest(self) -> Revision | None:
        """The last of them."""
        numbers = self.numbers()
        return self.read(numbers[-1]) if numbers else None

    def known_at(self, instant: int) -> Revision | None:
        """The last that had been published by an instant of our clock, ns."""
        for number in reversed(self.numbers()):
            found = self.read(number)
            if found.about["published_at"] <= instant:
                return found
        return None

    def corrections(self) -> list[Correction]:
        """The corrections of all revisions, in their order."""
        return [
            tuple(path if path.is_dir() else None for path in self._correction(number))  # type: ignore[misc]
            for number in self.numbers()
        ]

    def _correction(self, number: int) -> tuple[Path, Path]:
        kept = self.place / f"corrections-{number}"
        return kept / "add", kept / "remove"

    def publish(
        self, number: int, report: Mapping[str, Any], about: Mapping[str, Any],
        correction: Correction = (None, None),
    ) -> Revision:  # fmt: skip
        """Write a revision, its corrections and report first. MonitorError if its number is taken."""
        data = to_bytes(report)
        before = self.place / f"revision-{number - 1}.json"
        whole = {
            **about,
            "schema": SCHEMA,
            "revision": number,
            "report_sha256": sha256(data).hexdigest(),
            "previous_sha256": sha256(before.read_bytes()).hexdigest() if number else None,
        }
        try:
            self.place.mkdir(parents=True, exist_ok=True)
            for given, kept in zip(correction, self._correction(number), strict=True):
                if given is not None:
                    shutil.copytree(given, kept, dirs_exist_ok=True)
            write_once(self.place / f"report-{number}.json", data)
            write_once(self.place / f"revision-{number}.json", to_bytes(whole))
        except OSError as error:
            raise MonitorError(f"{self.place}: cannot be written: {error.strerror}") from None
        return Revision(number, whole, report)


def write_once(path: Path, data: bytes) -> None:
    """A new file, there whole or not at all. MonitorError if there is another of that name."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        if path.read_bytes() != data:  # what a life that was killed had written is as good
            raise MonitorError(f"{path}: there is one already, and it is kept") from None
    finally:
        draft.unlink()
