"""Structured logs: structlog and the standard library through one renderer, to stderr.

`json` is one object a line for machines, `console` is for people. Nothing is configured on import.
"""

from __future__ import annotations

import logging
import sys
import time

import structlog
from structlog.typing import Processor

from mm_monitor.errors import ConfigError

LEVELS = ("debug", "info", "warning", "error", "critical")
FORMATS = ("console", "json")

# Chatty at info about every reconnect; what matters of it our own sources and sinks say.
_QUIET = ("aiokafka", "aiohttp.access", "mqtt", "asyncio")
_REPEAT_SECONDS = 30.0


class Repeats(logging.Filter):
    """Lets a line of `library` pass once in 30 s: while its broker is away it says so 200 times a second."""

    def __init__(self, library: str) -> None:
        super().__init__()
        self._library = library
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Should it be written?"""
        if record.name.partition(".")[0] != self._library:
            return True
        now, text = time.monotonic(), record.getMessage()
        if now - self._said.get(text, -_REPEAT_SECONDS) < _REPEAT_SECONDS:
            return False
        self._said = {said: at for said, at in self._said.items() if now - at < _REPEAT_SECONDS}
        self._said[text] = now
        return True


def configure(level: str = "info", format: str = "console") -> None:
    """Set up logging for the process. Raises ConfigError for an unknown level or format."""
    if level not in LEVELS:
        raise ConfigError("log.level", f"one of {', '.join(LEVELS)}", level)
    if format not in FORMATS:
        raise ConfigError("log.format", f"one of {', '.join(FORMATS)}", format)
    shared = _shared_processors()
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(_number(level)),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    _configure_stdlib(level, format, shared)


def _configure_stdlib(level: str, format: str, shared: list[Processor]) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderers(format),
            ],
        )
    )
    if level != "debug":
        handler.addFilter(Repeats("aiokafka"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(_number(level))
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, _number(level)))


def _shared_processors() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _renderers(format: str) -> list[Processor]:
    if format == "json":
        return [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(sort_keys=True, ensure_ascii=False),
        ]
    return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]


def _number(level: str) -> int:
    return logging.getLevelNamesMapping()[level.upper()]
