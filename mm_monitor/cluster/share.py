"""One share as a process: a static worker whose configuration and lease come from its keeper, by standard input."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mm_monitor.app import serve
from mm_monitor.cluster.leash import Leash
from mm_monitor.config import Config, parse_config
from mm_monitor.errors import MonitorError
from mm_monitor.reload import with_at_once


def share_of(config: Config, number: int) -> Config:
    """What the `number`-th share, from 1, has of its own: names, a port, directories."""
    worker, http = config.kafka.worker, config.http
    assert worker is not None
    place = f"share-{number}"
    letters = Path(config.dead_letter.file)
    return replace(
        config,
        service=replace(config.service, id=f"{config.service.id}-{number}"),
        kafka=replace(config.kafka, worker=(number, worker[1]), group=""),
        http=replace(http, port=http.port and http.port + number),
        journal=replace(
            config.journal,
            directory=_below(config.journal.directory, place),
            captures=_below(config.journal.captures, place),
        ),
        evidence=replace(config.evidence, directory=_below(config.evidence.directory, place)),
        dead_letter=replace(
            config.dead_letter,
            file=str(letters.with_name(f"{letters.name}.{number}")) if letters.name else "",
        ),
    )


def _below(directory: str, place: str) -> str:
    return str(Path(directory) / place) if directory else ""


def run(told: Mapping[str, Any]) -> None:
    """The service, with what the keeper told. MonitorError when it cannot start."""
    config = parse_config(told["config"].encode(), file=told["file"], base=Path(told["base"]))
    worker, number = config.kafka.worker, told["share"]

    def own(read: Config) -> Config:
        """Of a file that is read again: how many shares there are is not for a reload to say."""
        return share_of(replace(read, kafka=replace(read.kafka, worker=worker)), number)

    Leash(sys.stdin.fileno(), told["lease"]).watch()
    asyncio.run(serve(own(with_at_once(config, told)), Path(told["file"]), own))


def main() -> int:
    """Exit code as the command's: 2 when it could not go on."""
    try:
        with open(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as pipe:
            told = json.loads(pipe.readline())  # and not a byte more
        run(told)
    except MonitorError as error:
        sys.stderr.write(f"mm-monitor: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
