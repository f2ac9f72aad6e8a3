"""Shared by the acceptance tests: judge a capture through the real door, compare reports key by key."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mm_monitor.replay import Replayed, replay
from mm_monitor.rulebooks import load

TRUTH_KEYS = (
    "quoted_ns", "lapsed_ns", "unknown_ns", "exempt_ns", "lapses", "longest_lapse_ns", "verdict"
)  # fmt: skip


def judged(capture: Path, rulebook: str | Path) -> dict[str, Any]:
    """The report of a capture."""
    return replayed(capture, rulebook).report


def replayed(capture: Path, rulebook: str | Path, *, watch: bool = False) -> Replayed:
    """All that a replay of a capture gives; signals if somebody is to `watch`."""
    return asyncio.run(replay(capture, load(rulebook), watch=watch))


def differences(
    got: Sequence[Mapping[str, Any]], want: Sequence[Mapping[str, Any]], keys: Sequence[str]
) -> list[str]:
    """Every key of every expected obligation that differs, as readable lines."""
    by_key = {(row["maker"], row["contract"]): row for row in got}
    lines = [] if len(got) == len(want) else [f"{len(got)} obligations instead of {len(want)}"]
    for row in want:
        mine = by_key[row["maker"], row["contract"]]
        lines += [
            f"{row['maker']} {row['contract']} {key}: {mine[key]} instead of {row[key]}"
            for key in keys
            if mine[key] != row[key]
        ]
    return lines
