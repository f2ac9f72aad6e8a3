"""Plays about *what* a maker quotes: prices, sizes and contracts that look like liquidity and are none."""

from __future__ import annotations

from mm_monitor.simulator.games.stage import FAR, MILLISECOND, Desk, Stage
from mm_monitor.simulator.market import TICK

THEOS = (20_000_000, 4_000_000)
LADDER = tuple(2_000_000 * (k + 1) for k in range(11))  # 0.02 to 0.22


def far(stage: Stage) -> None:
    """Narrow, but so far from theo that nobody will ever trade with it."""
    desk = _calm(stage, "far", THEOS)
    gamer = desk.gamer()
    for k, theo in enumerate(THEOS):
        bid, ask = gamer.around(theo)
        gamer.quote(stage.clock.first_instant, k, bid + FAR, ask + FAR, good=False)
    desk.honest()


def tiny(stage: Stage) -> None:
    """Full size for 50 ms around every whole minute, one lot for the rest of it, at the same prices."""
    desk = _calm(stage, "tiny", THEOS)
    gamer = desk.gamer()
    for k, theo in enumerate(THEOS):
        bid, ask = gamer.around(theo)
        gamer.quote(stage.clock.first_instant, k, bid, ask, (1, 1), good=False)
        for ts in stage.clock.minutes():
            gamer.quote(ts - 20 * MILLISECOND, k, bid, ask, good=True)
            gamer.quote(ts + 30 * MILLISECOND, k, bid, ask, (1, 1), good=False)
    desk.honest()


def lopsided(stage: Stage) -> None:
    """1 lot against 1000 in the first half of the day, 10 against 1000 in the second."""
    desk = _calm(stage, "lopsided", THEOS)
    gamer = desk.gamer()
    for k in range(len(THEOS)):
        gamer.good(stage.clock.first_instant, k, (1, 1000), good=False)
        gamer.good(stage.clock.halves[1][0], k, (1000, 10), good=False)
    desk.honest()


def cheap_only(stage: Stage) -> None:
    """Quotes ten of eleven contracts, all but the dear one: over 90 % of the time of all, and no coverage."""
    desk = _calm(stage, "cheap-only", LADDER)
    desk.gamer().present([(stage.clock.first_instant, stage.clock.closes)], range(len(LADDER) - 1))
    desk.honest()


def self_cross(stage: Stage) -> None:
    """Its bid stands above its own ask, or locks it: as narrow as can be, and nobody's to trade."""
    desk = _calm(stage, "self-cross", THEOS)
    gamer = desk.gamer()
    for k, theo in enumerate(THEOS):
        for i, ts in enumerate(stage.clock.minutes()):
            gamer.quote(ts, k, theo + i % 2 * TICK, theo, good=False)
    desk.honest()


def _calm(stage: Stage, name: str, theos: tuple[int, ...]) -> Desk:
    desk = stage.desk(name, theos)
    desk.market()
    return desk
