"""Brokers and workers that fail under load: `python -m tests.faults.cluster_proof --rounds 3 --stamp F`.

Three brokers, a session that is written while workers of one group judge it. In a round of each kind brokers that lead
partitions, the one that leads the controllers, or each broker in turn is killed and started again; or workers join,
leave and die. The result is kept as JSON after every round; a run of the same commit goes on from there. Exit
code 1 when a day or a breach shows what befell them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measure import stamp
from tests.faults.sharing import (
    EVERY,
    SHARES,
    Group,
    differs,
    made,
    play,
    replayed_day,
    undisturbed,
)
from tests.integration.subject import answered
from tests.services.kafka.cluster import KafkaCluster, Node

SECONDS = 60.0  # of session, written as fast as it was
QUIET = "30s"  # longer than any failover: nothing is decided by how long somebody was silent
Fault = dict[str, Any]


class Round:
    """A session on the cluster and a group that judges it."""

    def __init__(self, cluster: KafkaCluster, folder: Path, seed: int) -> None:
        self.cluster = cluster
        self.stage = made(cluster, folder, seed, SECONDS)
        self.group = Group(self.stage, "group", quiet=QUIET, lateness="500ms", pace=64)
        self.faults: list[Fault] = []
        self.written: asyncio.Task[None] | None = None

    @property
    def loaded(self) -> bool:
        """Is the session still being written?"""
        return self.written is not None and not self.written.done()

    async def run(self, befalls: Callable[[Round], Any]) -> dict[str, Any]:
        """Let it befall them while the session is written; how it compares."""
        began = time.monotonic()
        try:
            for name in ("one", "two"):
                self.group.join(name)
            await self.group.settled("one", "two")
            self.written = asyncio.create_task(play(self.stage, 1.0))
            await answered(self._all_hear, 60, every=EVERY)
            await befalls(self)
            await self.written
            await asyncio.to_thread(self.cluster.start)
            day = await self.group.judged()
            await self.group.end()
            rung, repeats = await self.group.rung()
        finally:
            self.group.close()
        single, breaches = await undisturbed(self.stage)
        replayed = await asyncio.to_thread(replayed_day, self.stage)
        differences = [f"the day differs from a service's: {what}" for what in differs(day, single)]
        differences += [
            f"the day differs from a replay's: {what}" for what in differs(day, replayed)
        ]
        differences += [f"never told: {told}" for told in sorted(breaches - rung)]
        differences += [f"told though there is none: {told}" for told in sorted(rung - breaches)]
        return {"faults": self.faults, "breaches": len(breaches), "repeated_events": repeats,
                "differences": differences, "seconds": round(time.monotonic() - began, 1)}  # fmt: skip

    async def fault(self, name: str, do: Callable[[], Any]) -> None:
        """Do it, and wait until all shares have judged what was written after it."""
        under_load, before = self.loaded, max(await self.group.watermarks())
        await asyncio.to_thread(do)  # a broker that is started answers by then
        began = time.monotonic()

        async def recovered() -> bool:
            now = await self.group.watermarks()
            return len(now) == SHARES and (min(now) > before + 1 or not self.loaded)

        await answered(recovered, 120, every=EVERY)
        seconds = round(
            max(0.0, time.monotonic() - began - 1), 1
        )  # a second of session was waited for
        self.faults.append({"fault": name, "under_load": under_load and self.loaded,
                            "seconds_to_recover": seconds})  # fmt: skip

    async def _all_hear(self) -> bool:
        now = await self.group.watermarks()
        return len(now) == SHARES and min(now) > 0


async def leaders(one: Round) -> None:
    """Whoever leads a partition of quotes, partition by partition."""
    for partition in range(2):
        await _killed(one, f"leader of quotes/{partition}",
                      one.cluster.leader(one.stage.topics.quotes, partition))  # fmt: skip


async def controller(one: Round) -> None:
    """Whoever leads the controllers, twice."""
    for _ in range(2):
        await _killed(one, "controller", one.cluster.controller())


async def minority(one: Round) -> None:
    """Each broker in turn."""
    for node in one.cluster.nodes:
        await _killed(one, f"broker {node.node}", node)


async def workers(one: Round) -> None:
    """One joins, one dies, one joins, one leaves, one dies."""
    group = one.group
    await one.fault("a worker joins", lambda: group.join("three"))
    await one.fault("a worker dies", lambda: group.kill("one"))
    await one.fault("a worker joins", lambda: group.join("four"))
    await one.fault("a worker leaves", lambda: group.workers["two"].signal(15))
    await one.fault("a worker dies", lambda: group.kill("three"))


KINDS = {"leaders": leaders, "controller": controller, "minority": minority, "workers": workers}


async def _killed(one: Round, name: str, node: Node) -> None:
    await one.fault(f"{name} dies", node.kill)
    await one.fault(f"{name} is back", node.start)


def run(args: argparse.Namespace) -> int:
    """All rounds that are not done yet."""
    kept: dict[str, Any] = {"stamp": stamp(), "rounds": []}
    if args.stamp.exists():
        old = json.loads(args.stamp.read_text(encoding="utf-8"))
        kept = old if old["stamp"]["commit"] == kept["stamp"]["commit"] else kept
    known = {(one["kind"], one["seed"]) for one in kept["rounds"]}
    wanted = [(kind, seed) for seed in range(args.rounds) for kind in args.kinds.split(",")]
    folder = Path(tempfile.mkdtemp())
    try:
        with KafkaCluster(folder / "kafka") as cluster:
            for kind, seed in (one for one in wanted if one not in known):
                place = folder / f"{kind}-{seed}"
                found = asyncio.run(Round(cluster, place, seed).run(KINDS[kind]))
                kept["rounds"].append({"kind": kind, "seed": seed, **found})
                args.stamp.parent.mkdir(parents=True, exist_ok=True)
                args.stamp.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
                sys.stdout.write(f"{json.dumps(kept['rounds'][-1])}\n")
                sys.stdout.flush()
                shutil.rmtree(place)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    differing = [(one["kind"], one["seed"]) for one in kept["rounds"] if one["differences"]]
    sys.stdout.write(f"{len(kept['rounds'])} rounds, that differ: {differing or 'none'}\n")
    return 1 if differing else 0


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="tests.faults.cluster_proof", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="of each kind")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--stamp", type=Path, required=True, help="JSON result, resumed from")
    return run(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
