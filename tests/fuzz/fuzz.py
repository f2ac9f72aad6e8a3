"""Fuzz the engine against the oracle: every key of the report of seeds START to END.

The first difference is shrunk (records, then lines of the rulebook, are dropped while it stays) and
printed with its seed. With `--stamp FILE` the result is kept as JSON after every hundred seeds, and a
run of the same code, both judges', and features goes on from there.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from mm_monitor.replay import replay
from mm_monitor.rulebooks import load

from .beside import judge
from .tapes import FEATURES, random_capture

BATCH = 100
# What decides a report, the engine's and the oracle's: as long as it is the same, a run may be taken up again.
JUDGES = (
    "cext", *(f"mm_monitor/{part}" for part in ("core", "kernels", "codecs", "sources", "reports", "rulebooks")),
    "mm_monitor/pump.py", "mm_monitor/replay.py", "tests/oracle", "tests/fuzz",
)  # fmt: skip


class Tried(NamedTuple):
    """What became of one seed."""

    seed: int
    difference: str
    features: list[str]
    tape: str = ""


def _paths(got: Any, want: Any, path: str, whole: bool) -> Iterator[str]:
    """Every place at which they differ, in what `got` has; unless `whole`, that both have."""
    counts = path.endswith(".buckets")  # their keys are as much a result as what they hold
    if isinstance(want, dict) and isinstance(got, dict) and not counts:
        for key in sorted(got.keys() if whole else want.keys() & got.keys()):
            yield from _paths(got[key], want.get(key), f"{path}.{key}", whole)
    elif isinstance(want, list) and isinstance(got, list) and len(want) == len(got):
        for i, (one, other) in enumerate(zip(got, want, strict=True)):
            yield from _paths(one, other, f"{path}[{i}]", whole)
    elif want != got:
        yield f"{path}: oracle {want!r}, engine {got!r}"


def difference(capture: Path) -> str:
    """The first differences of the two reports, empty when they agree."""
    rulebook = capture / "rulebook.toml"
    want = judge(capture, rulebook)
    got = asyncio.run(replay(capture, load(rulebook)))
    rows = {key: want[key] for key in ("obligations", "makers")}
    found = [*_paths(got.report, want, "", True), *_paths(got.details, rows, "details", False)]
    return "\n".join(found[:5])


def _outcome(capture: Path) -> str:
    """As `difference`, an exception of either side being one as well."""
    try:
        return difference(capture)
    except Exception as error:  # noqa: BLE001 - whatever the engine raises is a finding
        return f"{type(error).__name__}: {error}"


def _kind(text: str) -> str:
    """What must stay the same while a tape shrinks: the key, without its place and value."""
    head = text.split(":")[0]
    return "".join(c for c in head if not c.isdigit())


def shrink(capture: Path, found: str) -> str:
    """Drop lines of the capture and of the rulebook while the same key differs."""
    kind, smaller = _kind(found), True
    while smaller:
        smaller = False
        for path in sorted(capture.iterdir()):
            at, step = (1, 16) if path.suffix == ".csv" else (0, 1)
            while step:
                lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
                if at >= len(lines):
                    at, step = 1 if path.suffix == ".csv" else 0, step // 2
                    continue
                path.write_text("".join(lines[:at] + lines[at + step :]), encoding="utf-8")
                if _kind(_outcome(capture)) == kind:
                    smaller = True
                else:
                    path.write_text("".join(lines), encoding="utf-8")
                    at += step
    return _outcome(capture)


def _text(capture: Path) -> str:
    return "\n".join(
        f"--- {path.name}\n{path.read_text(encoding='utf-8').rstrip()}"
        for path in sorted(capture.iterdir())
        if len(path.read_text(encoding="utf-8").splitlines()) > 1
    )


def attempt(task: tuple[int, frozenset[str]]) -> Tried:
    """Judge one seed twice."""
    seed, features = task
    with tempfile.TemporaryDirectory() as name:
        capture = Path(name)
        rulebook = random_capture(random.Random(seed), capture, features)
        text = rulebook.read_text(encoding="utf-8")
        words = [word for word in WORDS if word in text]
        words += [path.stem for path in capture.glob("*.csv")]
        return Tried(seed, _outcome(capture), words)


WORDS = ("min_rest", "retroactive", "from_then", "max_size_difference", "max_age", "zero_bid", "grace",
         "off_theo", "combine = \"min\"", "table", "multiple", "relief", "required_set", "accounts",
         "coverage", "mean_of_ratios", "contracts\"", "products\"", "days\"", "windows", "at_risk",
         "lapse", "market_hole", "stress", "rfq", "shrinks", "required_time",
         "min_size_by_month", "calendar")  # fmt: skip


def shrunk(seed: int, features: frozenset[str], found: str) -> str:
    with tempfile.TemporaryDirectory() as name:
        capture = Path(name) / "capture"
        capture.mkdir()
        random_capture(random.Random(seed), capture, features)
        before = Path(name) / "whole"
        shutil.copytree(capture, before)
        left = shrink(capture, found)
        return f"{left}\n{_text(capture)}"


def _git(name: str) -> str:
    """The hash of a commit, or with `HEAD:` before it of a file or folder."""
    done = subprocess.run(["git", "rev-parse", name], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def run(args: argparse.Namespace) -> int:
    """Fuzz until the end, the time limit or `--keep` differences; 1 when there was one."""
    features = frozenset(filter(None, args.features.split(","))) or FEATURES
    state: dict[str, Any] = {
        "commit": _git("HEAD"), "code": {path: _git(f"HEAD:{path}") for path in JUDGES},
        "features": sorted(features), "start": args.start, "next": args.start, "end": args.end,
        "seconds": 0.0, "differing": [], "hits": {},
    }  # fmt: skip
    if args.stamp and args.stamp.exists():
        old = json.loads(args.stamp.read_text(encoding="utf-8"))
        same = all(old[key] == state[key] for key in ("code", "features", "start"))
        state = old | {"end": args.end, "commit": state["commit"]} if same else state
    hits, begin, spent = Counter(state["hits"]), time.monotonic(), state["seconds"]
    with multiprocessing.Pool(args.jobs, maxtasksperchild=2000) as pool:
        while state["next"] < args.end and len(state["differing"]) < args.keep:
            seeds = range(state["next"], min(state["next"] + BATCH, args.end))
            tried = pool.map(attempt, [(seed, features) for seed in seeds], chunksize=10)
            for one in tried:
                hits.update(one.features)
                if one.difference and len(state["differing"]) < args.keep:
                    print(f"=== seed {one.seed}\n{one.difference}", flush=True)
                    state["differing"].append([one.seed, one.difference])
            state |= {"next": seeds.stop, "hits": dict(sorted(hits.items()))}
            state["seconds"] = round(spent + time.monotonic() - begin, 1)
            if args.stamp:
                args.stamp.write_text(json.dumps(state, indent=2) + "\n", encoding="utf-8")
            if args.seconds and time.monotonic() - begin > args.seconds:
                break
    print(
        f"{state['next'] - args.start} tapes, {len(state['differing'])} differ, {state['seconds']} s"
    )
    for seed, found in state["differing"][: args.shrink]:
        print(f"=== seed {seed}, shrunk\n{shrunk(seed, features, found)}", flush=True)
    return 1 if state["differing"] else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.fuzz.fuzz", description=__doc__)
    parser.add_argument("start", type=int)
    parser.add_argument("end", type=int)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--stamp", type=Path, help="JSON result, kept up and resumed from")
    parser.add_argument("--features", default="", help="only these, by commas; default all")
    parser.add_argument("--seconds", type=float, default=0, help="stop after so long")
    parser.add_argument("--keep", type=int, default=1, help="stop after so many that differ")
    parser.add_argument("--shrink", type=int, default=1, help="shrink so many of them")
    return run(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
