"""SIGHUP: the configuration is read again, and what may change while the tape goes on does.

That is who may see what and how much is logged. Whatever else has changed is named and waits for a restart; a file with
a mistake in it changes nothing at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path

import structlog

from mm_monitor import logs
from mm_monitor.config import SECTIONS, Config, check_config, load_config
from mm_monitor.errors import MonitorError

_log = structlog.get_logger("mm_monitor")
AT_ONCE = ("log.level", "log.format", "http.tokens_file")


def as_it_is(read: Config) -> Config:
    """What a process has of a file that is all its own."""
    return read


class Reload:
    """Reads `path` again when called; `config` is what the process was started with.

    `take_up` is given a good configuration, but for the logs, which are set here; it may refuse it (MonitorError).
    `own` makes of what is read what this process has of it.
    """

    def __init__(
        self,
        path: Path,
        config: Config,
        take_up: Callable[[Config], None],
        own: Callable[[Config], Config] = as_it_is,
    ) -> None:
        self._path, self._began, self._take_up, self._own = path, config, take_up, own

    def __call__(self) -> None:
        """Take up what may change; never raises for what is in a file."""
        try:
            wrong = check_config(self._path)
            if wrong:
                raise MonitorError("\n".join(wrong))
            config = self._own(load_config(self._path))
            self._take_up(config)
            logs.configure(config.log.level, config.log.format)
        except MonitorError as error:
            for line in str(error).splitlines():
                _log.error("config_refused", error=line)
            return
        waiting = [key for key in changed(self._began, config) if key not in AT_ONCE]
        if waiting:
            _log.warning("config_waits_for_a_restart", keys=waiting)
        _log.info("config_taken_up", file=str(self._path))


def changed(before: Config, now: Config) -> Iterator[str]:
    """Keys of which two configurations say different things."""
    for section in SECTIONS:
        old, new = getattr(before, section), getattr(now, section)
        for f in fields(old):
            if getattr(old, f.name) != getattr(new, f.name):
                yield f"{section}.{f.name}"


def at_once(config: Config) -> dict[str, str]:
    """What a configuration says of the keys that may change at once."""
    return {key: _value(config, *key.split(".")) for key in AT_ONCE}


def with_at_once(config: Config, values: Mapping[str, str]) -> Config:
    """The configuration with these values of such keys; `values` may have others, which mean nothing here."""
    for key in AT_ONCE:
        section, name = key.split(".")
        table = getattr(config, section)
        table = replace(table, **{name: values.get(key, getattr(table, name))})
        config = replace(config, **{section: table})
    return config


def _value(config: Config, section: str, name: str) -> str:
    return str(getattr(getattr(config, section), name))
