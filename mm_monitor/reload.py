"""SIGHUP: the configuration is read again, and what may change while the tape goes on does.

That is who may see what and how much is logged. Whatever else has changed is named and waits for a restart; a file with
a mistake in it changes nothing at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import structlog

from mm_monitor import logs
from mm_monitor.config import SECTIONS, Config, check_config, load_config
from mm_monitor.errors import MonitorError
from mm_monitor.web.server import WebServer

_log = structlog.get_logger("mm_monitor")
AT_ONCE = frozenset({"log.level", "log.format", "http.tokens_file"})


class Reload:
    """Reads `path` again when called; `config` is what the service was started with, `web` asks for tokens."""

    def __init__(self, path: Path, config: Config, web: WebServer) -> None:
        self._path, self._began, self._web = path, config, web

    def __call__(self) -> None:
        """Take up what may change; never raises for what is in a file."""
        try:
            wrong = check_config(self._path)
            if wrong:
                raise MonitorError("\n".join(wrong))
            config = load_config(self._path)
            self._web.admit(config.http.tokens_file)
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
