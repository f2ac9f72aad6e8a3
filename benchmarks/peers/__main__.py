"""`python -m benchmarks.peers [--ticks N] [--rounds N] [--only NAME,...]`: everybody does the job, in turns.

Each contestant is a process of its own that waits for its turn, so a machine that is busy for a while is busy for all.
Every result must equal ours to the nanosecond; one that does not is an error, not a row.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.measure import Row, keep, table
from benchmarks.peers.broker import filled
from benchmarks.peers.install import PYTHON, install, installed, pins
from benchmarks.peers.job import make, save

SHAPES = ("session", "random")
# module -> package, if it takes one; ours runs in our own environment.
CONTESTANTS = {
    "ours": "mm-monitor",
    "numba_loop": "numba",
    "polars_batch": "polars",
    "duckdb_sql": "duckdb",
    "python_loop": "",
    "csp_events": "csp",
    "csp_graph": "csp",
    "confluent_loop": "confluent-kafka",
    "bytewax_flow": "bytewax",
}
WHO = {  # where the package's name does not say it
    "python_loop": "plain Python",
    "csp_events": "csp, one node",
    "csp_graph": "csp, a graph",
}
GOALS = {
    "csp_events": 25,
    "csp_graph": 25,
    "polars_batch": 2,
    "bytewax_flow": 100,
}  # ours must be so many times faster
TITLE = "peers: quoted time of 16 makers x 500 contracts, medians of interleaved rounds; every result equals ours"
ROOT = Path(__file__).resolve().parents[2]


@dataclass(slots=True)
class Player:
    """One contestant's process and its turns."""

    name: str
    process: subprocess.Popen[str]
    note: str = ""
    seconds: list[float] = field(default_factory=list)
    digests: set[str] = field(default_factory=set)

    def turn(self) -> None:
        """One run; RuntimeError with its own words if the process died."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        told = self.hear()
        self.seconds.append(told["seconds"])
        self.digests.add(told["digest"])

    def hear(self) -> dict[str, Any]:
        """What the process says next."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with exit code {self.process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def main(words: Sequence[str]) -> int:
    """Exit code 1 when a result differs from ours or a peer is missing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--ticks", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default=",".join(CONTESTANTS), help="modules, with commas")
    asked = parser.parse_args(words)
    names = ["ours", *(name for name in asked.only.split(",") if name != "ours")]
    failed = install()
    for package, reason in failed.items():
        sys.stdout.write(f"!! {package} cannot be installed here: {reason}\n")
    rows = [
        row for shape in SHAPES for row in compare(shape, asked.ticks, asked.rounds, names, failed)
    ]
    table(TITLE, [{key: row[key] for key in row if key != "what"} for row in rows])
    versions = installed()
    peers = {name: versions.get(name, "") for name in [*pins(), "numpy"]}
    about = {"ticks": asked.ticks, "rounds": asked.rounds, "peers": peers, "missing": failed}
    keep("peers", TITLE, rows, about)
    return 1 if failed or any(row["equal"] == "NO" for row in rows) else 0


def compare(
    shape: str, ticks: int, rounds: int, names: Sequence[str], failed: Mapping[str, str]
) -> list[Row]:
    """Rows of one shape, by speed."""
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "job.npz"
        job = make(ticks, shape)
        save(job, place)
        environment = dict(os.environ)
        able = [name for name in names if CONTESTANTS[name] not in failed]
        if "confluent_loop" in able:
            address = stack.enter_context(filled(job, place.parent / "kafka"))
            environment |= {"PEERS_KAFKA": address}
            able = [name for name in able if address or name != "confluent_loop"]
        players = []
        for name in able:  # one after another: warming up is not to disturb another's
            players.append(_begin(name, place, environment))
            stack.callback(_end, players[-1].process)
            players[-1].note = players[-1].hear()["note"]
        for i in range(rounds):
            for k in range(len(players)):
                players[(i + k) % len(players)].turn()
    return _rows(shape, ticks, players)


def _begin(name: str, job: Path, environment: Mapping[str, str]) -> Player:
    python = sys.executable if name == "ours" else str(PYTHON)
    command = [python, "-W", "ignore", "-m", "benchmarks.peers.worker", name, str(job)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT, env=environment
    )
    return Player(name, process)


def _end(process: subprocess.Popen[str]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _rows(shape: str, ticks: int, players: Sequence[Player]) -> list[Row]:
    ours = next(player for player in players if player.name == "ours")
    base = statistics.median(ours.seconds)
    rows: list[Row] = []
    for player in sorted(players, key=lambda player: statistics.median(player.seconds)):
        middle = statistics.median(player.seconds)
        # Round by round, so that what slowed both in a round is in neither's favour.
        ratios = [a / b for a, b in zip(player.seconds, ours.seconds, strict=True)]
        rows.append({
            "shape": shape,
            "who": WHO.get(player.name, CONTESTANTS[player.name]),
            "ours is x faster": round(middle / base, 2),
            "least": round(min(ratios), 2),
            "most": round(max(ratios), 2),
            "goal": GOALS.get(player.name, ""),
            "M ticks/s": round(ticks / middle / 1e6, 3),
            "slowest": round(ticks / max(player.seconds) / 1e6, 3),
            "fastest": round(ticks / min(player.seconds) / 1e6, 3),
            "equal": "yes" if player.digests == ours.digests and len(ours.digests) == 1 else "NO",
            "what": player.note,
        })  # fmt: skip
    return rows


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
