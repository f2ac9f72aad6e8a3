"""Structured logs: structlog and the standard library through one renderer, to stderr.

`json` is one object a line for machines, `console` is for people. Nothing is configured on import.
"""

from __future__ import annotations

import logging
import sys

import structlog
from structlog.typing import Processor

from mm_monitor.errors import ConfigError

LEVELS = ("debug", "info", "warning", "error", "critical")
FORMATS = ("console", "json")

# Chatty at info about every reconnect; what matters of it our own sources and sinks say.
_QUIET = ("aiokafka", "aiohttp.access", "mqtt", "asyncio")


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
