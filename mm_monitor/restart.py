"""Checkpoints of one service: the newest that can be used is found at the start, and new ones are taken as time goes.

Whatever is wrong with one is said aloud and counted, and the one before is tried; only when there is none left does the
service begin as it would without.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any

import structlog

from mm_monitor.assembly import make_checkpoints, starting_reference
from mm_monitor.checkpoints import CheckpointStore
from mm_monitor.checkpoints.writer import CheckpointWriter, readable
from mm_monitor.config import Config
from mm_monitor.core.reference import Reference
from mm_monitor.core.rulebook import Rulebook
from mm_monitor.core.snapshot import reference_from
from mm_monitor.errors import CheckpointError
from mm_monitor.health import CheckpointStats, HealthStats
from mm_monitor.standing import Packer, Parts, State, check_settings, resume, unpacked

NS = 1_000_000_000
log = structlog.get_logger("mm_monitor.checkpoints")


class Checkpoints:
    """Those in the store that the configuration names; without one it does nothing and finds nothing.

    `kept` is where the life before this one stood, None where nothing usable was found. `settings` is what a state must
    have been made with to be used.
    """

    def __init__(
        self, config: Config, rulebooks: Sequence[Rulebook], date: str, health: HealthStats
    ) -> None:
        """`date`: the trading date of now. CheckpointError (`storage`) where nothing can be kept."""
        self._config, self._rulebooks = config, rulebooks
        self.date = date  # of which the names are that the service began with
        self.kept: State | None = None
        self._writer: CheckpointWriter | None = None
        self._packer = Packer()
        self._taken = time.monotonic()
        store = make_checkpoints(config)
        if store is not None:
            self.stats = health.checkpoints = CheckpointStats()
            self._open(store)
        self.settings = settings_of(config, rulebooks, self.date)

    def _open(self, store: CheckpointStore) -> None:
        where = self.where
        entries = list(store.entries())
        for problem in store.problems():
            self._refuse(CheckpointError("damaged", problem))
        newest = max((entry.serial for entry in entries), default=-1)
        for entry, sections in readable(entries, self._refuse):
            try:
                state = unpacked(sections)
                check_settings(state, settings_of(self._config, self._rulebooks, state["date"]))
            except CheckpointError as error:
                self._refuse(error)
                continue
            self.kept, self.date = state, state["date"]
            log.info("checkpoint_found", serial=entry.serial, where=where)
            break
        else:
            log.info("no_checkpoint", where=where, means="the log is read from tape.start")
        self._writer = CheckpointWriter(store, self.stats, newest + 1)

    @property
    def where(self) -> str:
        """Where they are kept, for whoever has to look there."""
        kept = self._config.checkpoint
        return self._config.topics.checkpoints if kept.store == "topic" else kept.directory

    @property
    def deposed(self) -> bool:
        """Has another service taken them over? Then this one has to end, and tell nobody anything."""
        return self._writer is not None and self._writer.deposed

    def reference(self) -> Reference:
        """The directory of names to begin with: the one that was kept, or that of the files."""
        if self.kept is None:
            return starting_reference(self._config, self.date)
        return reference_from(self.kept["engine"]["reference"])

    def priced_since(self, start: int | str | None) -> int | str | None:
        """From when theos are computed; `start` for a service that begins anew."""
        pricer = None if self.kept is None else self.kept["pricer"]
        return start if pricer is None else int(pricer["since"])

    def resume(self, parts: Parts) -> None:
        """Put fresh parts, made on `reference`, where the life before stood, if there was any."""
        if self.kept is not None:
            resume(parts, self.kept)

    def _refuse(self, error: CheckpointError) -> None:
        self.stats.refused[error.reason] = self.stats.refused.get(error.reason, 0) + 1
        log.error(
            "checkpoint_refused",
            reason=error.reason,
            error=str(error),
            means="the one before is tried",
        )

    @property
    def due(self) -> bool:
        """Is it time for another, and would it be taken?"""
        if self._writer is None or not self._writer.idle:
            return False
        return time.monotonic() - self._taken >= self._config.checkpoint.every / NS

    def take(self, standing: Callable[[dict[str, str]], State]) -> None:
        """Have the state that `standing` makes, of these settings, written by the writer's thread."""
        if self._writer is not None:
            self._taken = time.monotonic()
            self._writer.offer(self._packer.later(self._whole(standing)))

    def finish(self, standing: Callable[[dict[str, str]], State] | None, within: float) -> None:
        """Write a last one, where there is any, and end; waits up to `within` seconds."""
        if self._writer is None:
            return
        last = None if standing is None else self._packer.later(self._whole(standing))
        if not self._writer.finish(last, within):
            log.error("last_checkpoint_not_written", seconds=within)
        self._writer = None

    def _whole(self, standing: Callable[[dict[str, str]], State]) -> State:
        return {**standing(self.settings), "date": self.date}


def settings_of(config: Config, rulebooks: Sequence[Rulebook], date: str) -> dict[str, str]:
    """What a state is only good for as long as it stays the same, by name; `date`: of which the names are."""
    topics, codecs = config.topics, config.codecs
    reference = starting_reference(config, date)
    names: list[Any] = [
        reference.contracts,
        reference.appointments,
        sorted(reference.accounts.items()),
    ]
    return {
        "rulebooks": " ".join(f"{book.id}/{book.version}/{book.sha256}" for book in rulebooks),
        "rulebooks.phases": config.rulebooks.phases,
        "topics": " ".join((topics.quotes, topics.theo, topics.control, topics.reference)),
        "codecs": repr(codecs),
        "kafka.partitions": repr((config.kafka.partitions, config.kafka.worker)),
        "theo": repr(config.theo),
        "reference": sha256(repr(names).encode()).hexdigest(),
    }
