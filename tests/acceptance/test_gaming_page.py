"""docs/gaming.md: its table is what a sampler and the engine say of the strategies today."""

from __future__ import annotations

import pytest

from benchmarks.gaming import BEGIN, END, PAGE, judge
from mm_monitor.simulator.games import STRATEGIES, chosen

TABLE = PAGE.read_text(encoding="utf-8").split(BEGIN)[1].split(END)[0].splitlines(keepends=True)
LINES = dict(zip(STRATEGIES, TABLE[2:], strict=True))
# Those with so many quotes that they are left to the long run.
MANY = {"flicker", "flood"}


def test_every_strategy_has_its_line() -> None:
    assert all(line.startswith(f"| `{name}` |") for name, line in LINES.items())


def test_the_lines_are_what_is_computed() -> None:
    names = [name for name in STRATEGIES if name not in MANY]
    assert judge(chosen(",".join(names))) == {name: LINES[name] for name in names}


@pytest.mark.slow
def test_so_are_those_with_many_quotes() -> None:
    assert judge(chosen(",".join(sorted(MANY)))) == {name: LINES[name] for name in sorted(MANY)}


def test_the_sampler_is_content_with_all_of_them() -> None:
    score = {name: float(line.split("|")[3].strip(" %")) for name, line in LINES.items()}
    assert {name for name, percent in score.items() if percent < 90} == set()
