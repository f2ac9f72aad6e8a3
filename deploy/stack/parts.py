"""The monitor and the simulator as services of the stack: processes of their own, as a venue would run them."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.services import Kafka, Service, web

COMMAND = [sys.executable, "-m", "mm_monitor"]
TOPICS = {
    "quotes": "mm.quotes",
    "theo": "mm.theo",
    "control": "mm.control",
    "breaches": "mm.breaches",
}
PARTITIONS = {"quotes": 4, "theo": 4, "control": 1, "breaches": 1}


class Market(Service):
    """`mm-monitor simulate --now`: makers that quote for `seconds`, and what a monitor has to know of them."""

    name = "simulator"

    def __init__(
        self, workdir: Path, kafka: Kafka, seconds: int, options: Mapping[str, int]
    ) -> None:
        super().__init__(workdir)
        self._kafka, self._seconds, self._options = kafka, seconds, options
        self.reference = workdir / "reference"

    @property
    def rulebook(self) -> Path:
        """The rulebook of the session."""
        return self.reference / "rulebook.toml"

    def command(self) -> list[str]:
        """Plays in real time, beginning a few seconds from now."""
        options = [word for name, n in self._options.items() for word in (f"--{name}", str(n))]
        return [
            *COMMAND, "simulate", "--bootstrap", self._kafka.bootstrap, "--now", "--codec", "json",
            "--seconds", str(self._seconds), "--reference", str(self.reference), "-q", *options,
        ]  # fmt: skip

    def ready(self) -> bool:
        """It has written what the monitor needs."""
        return self.rulebook.exists()


class Monitor(Service):
    """`mm-monitor run`; `sections`, set before it is started, are its configuration but for where it listens."""

    name = "monitor"
    start_timeout = 60.0

    def __init__(self, workdir: Path) -> None:
        super().__init__(workdir)
        self.sections: Mapping[str, Mapping[str, Any]] = {}
        self.config = workdir / "monitor.toml"

    @property
    def url(self) -> str:
        """`http://host:port`."""
        return f"http://{self.address}"

    def command(self) -> list[str]:
        """Writes its configuration anew."""
        tables = {**self.sections, "http": {"port": self.port}}
        self.config.write_text(
            "\n".join(
                f"[{name}]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in keys.items())
                for name, keys in tables.items()
            )
        )
        return [*COMMAND, "run", "--config", str(self.config)]

    def ready(self) -> bool:
        """Its process answers; the market may not have opened yet."""
        return web.answers(f"{self.url}/healthz")

    def get(self, path: str) -> Any:
        """The JSON of a page."""
        return web.get_json(f"{self.url}/{path}")
