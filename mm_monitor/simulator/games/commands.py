"""What `mm-monitor simulate --strategies` does: the chosen games into a capture directory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from time import monotonic

from mm_monitor.simulator.commands import FOR_EVER, Summary
from mm_monitor.simulator.days import DEMO_DATE
from mm_monitor.simulator.disorder import Disorder
from mm_monitor.simulator.games.capture import write_games
from mm_monitor.simulator.games.catalogue import STRATEGIES, chosen, perform
from mm_monitor.simulator.games.stage import Stage


@dataclass(frozen=True, slots=True)
class GameOptions:
    """`strategies` is a comma-separated list of names, or `all`; `minutes` of continuous trading, at least two."""

    strategies: str
    directory: Path
    seed: int = 1
    day: date = DEMO_DATE
    minutes: int = 20
    fmt: str = "csv"
    shuffle: bool = False


def simulate_games(options: GameOptions) -> Summary:
    """Write the games as a capture with truth and rulebook. Raises MonitorError with what is wrong."""
    begun = monotonic()
    stage = perform(chosen(options.strategies), Stage(options.seed, options.day, options.minutes))
    disorder = Disorder(options.seed, FOR_EVER) if options.shuffle else None
    told = write_games(stage, options.directory, options.fmt, disorder=disorder)
    return Summary(
        quotes=told["records"]["quotes"],
        theos=told["records"]["theos"],
        controls=told["records"]["controls"],
        finished=True,
        wall_seconds=monotonic() - begun,
        makers=tuple((row["maker"], row["label"], row["misbehaves"]) for row in told["makers"]),
    )


def listed() -> Iterator[str]:
    """A line for each strategy: name, verdict under the rulebook of the games, and what it does."""
    for strategy in STRATEGIES.values():
        yield f"{strategy.name:14} {strategy.verdict:14} {strategy.what}"
