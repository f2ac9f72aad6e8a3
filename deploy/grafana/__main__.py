"""Writes the dashboards beside this file: `python -m deploy.grafana`."""

from __future__ import annotations

import json
from pathlib import Path

from deploy.grafana.boards import klass, maker, operations
from deploy.grafana.health import health
from deploy.grafana.panels import Json

FOLDER = Path(__file__).parent / "dashboards"


def written() -> dict[str, str]:
    """The text of each file by its name."""
    boards: dict[str, Json] = {
        "operations.json": operations(), "maker.json": maker(), "class.json": klass(),
        "health.json": health(),
    }  # fmt: skip
    return {name: json.dumps(board, indent=1) + "\n" for name, board in boards.items()}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for file, text in written().items():
        (FOLDER / file).write_text(text, encoding="utf-8")
