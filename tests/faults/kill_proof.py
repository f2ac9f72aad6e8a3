"""`kill -9` at random instants, over many seeds: `python -m tests.faults.kill_proof --seeds 20 --kills 500 --stamp F`.

The result is kept as JSON after every seed; a run of the same commit goes on from there. Exit code 1 when the outcome
of any seed shows that its service was killed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import stamp
from tests.faults.killing import Outcome, Stage
from tests.services.kafka import Kafka


async def proved(kafka: Kafka, folder: Path, *, seed: int, kills: int) -> dict[str, Any]:
    """Kill a service so many times while it judges a session, beginning anew when it is done; how it compares."""
    luck, began = random.Random(seed), time.monotonic()
    stage = Stage(kafka, folder, seed)
    await stage.fill()
    never = await stage.service("never").live_to_the_end()
    done = went_on = sessions = repeats = 0
    differing: list[str] = []
    while done < kills:
        sessions += 1
        service = stage.service(f"killed-{sessions}")
        while done < kills and not service.done:
            went_on += await service.live_until_killed(luck)
            done += 1
        killed = await service.live_to_the_end()
        repeats += killed.repeats
        differing += [f"session {sessions}: {what}" for what in differences(never, killed)]
    return {
        "seed": seed, "kills": done, "went_on": went_on, "sessions": sessions, "repeated_events": repeats,
        "breaches": len({breach for breach, _ in never.rung}), "records": never.counted["apply_rows"],
        "differences": differing, "seconds": round(time.monotonic() - began, 1),
    }  # fmt: skip


def differences(never: Outcome, killed: Outcome) -> list[str]:
    """What shows that it was killed: of the report's bytes, the counters, the breaches told."""
    found = [] if never.report == killed.report else ["the report differs"]
    found += [
        f"{name}: {n} instead of {never.counted[name]}"
        for name, n in killed.counted.items()
        if n != never.counted[name]
    ]
    found += [f"never told: {told}" for told in sorted(never.rung - killed.rung)]
    found += [f"told though there is none: {told}" for told in sorted(killed.rung - never.rung)]
    return found


def run(args: argparse.Namespace) -> int:
    """All seeds that are not done yet."""
    kept: dict[str, Any] = {"stamp": stamp(), "seeds": []}
    if args.stamp.exists():
        old = json.loads(args.stamp.read_text(encoding="utf-8"))
        same = old["stamp"]["commit"] == kept["stamp"]["commit"] and old["each"] == _each(args)
        kept = old if same else kept
    kept["each"] = _each(args)
    known = {one["seed"] for one in kept["seeds"]}
    folder = Path(tempfile.mkdtemp())
    try:
        with Kafka(folder / "kafka") as kafka:
            for seed in sorted(set(range(args.seeds)) - known):
                place = folder / str(seed)
                found = asyncio.run(proved(kafka, place, seed=seed, kills=_each(args)))
                kept["seeds"].append(found)
                kept["kills"] = sum(one["kills"] for one in kept["seeds"])
                args.stamp.parent.mkdir(parents=True, exist_ok=True)
                args.stamp.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
                sys.stdout.write(f"{json.dumps(found)}\n")
                sys.stdout.flush()
                shutil.rmtree(place)
    finally:
        shutil.rmtree(folder)
    differing = [one["seed"] for one in kept["seeds"] if one["differences"]]
    sys.stdout.write(f"{kept['kills']} kills, seeds that differ: {differing or 'none'}\n")
    return 1 if differing else 0


def _each(args: argparse.Namespace) -> int:
    return -(-int(args.kills) // int(args.seeds))


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="tests.faults.kill_proof", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--kills", type=int, default=500, help="of all seeds together")
    parser.add_argument(
        "--stamp", type=Path, required=True, help="JSON result, kept up and resumed from"
    )
    return run(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
