"""Where the state of a running service is kept between two lives of it; one file a kind of store, a registry by name.

A store keeps records of bytes; what is in them is `record.py`'s business, and when one is written `writer.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mm_monitor.checkpoints.protocol import CheckpointStore
from mm_monitor.checkpoints.sqlite import SqliteStore
from mm_monitor.checkpoints.topic import TopicPlace, TopicStore
from mm_monitor.errors import ConfigError

__all__ = ["STORES", "CheckpointStore", "TopicPlace", "create"]

STORES: Mapping[str, Callable[[Any], CheckpointStore]] = MappingProxyType(
    {"sqlite": SqliteStore, "topic": TopicStore}
)


def create(name: str, place: Path | TopicPlace) -> CheckpointStore:
    """The store called `name`, open; `place` is a directory for `sqlite` and a TopicPlace for `topic`.

    ConfigError for an unknown name, CheckpointError for one that cannot be used.
    """
    if name not in STORES:
        raise ConfigError("checkpoint.store", f"one of {', '.join(STORES)}", name)
    return STORES[name](place)
