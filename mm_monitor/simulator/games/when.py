"""Plays about *when* a maker is there: at the sampler's instants, for a blink, never in the hard minutes.

Some of these keep the rules to the letter; what they are is then said by a signal and not by a breach.
"""

from __future__ import annotations

from mm_monitor.simulator.games.stage import MILLISECOND, SECOND, Desk, Stage, away

THEOS = (20_000_000, 4_000_000)  # 0.2 and 0.04
ONE = THEOS[:1]
BLINK = 5 * MILLISECOND
MICROSECOND = 1_000


def sampled(stage: Stage) -> None:
    """Quotes 20 ms around every whole minute and at no other time."""
    desk = _calm(stage, "sampled", THEOS)
    spans = [(t - 10 * MILLISECOND, t + 10 * MILLISECOND) for t in stage.clock.minutes()]
    desk.gamer().present(spans)
    desk.honest()


def flicker(stage: Stage) -> None:
    """5 ms there, 5 ms gone, all day; there at every whole minute."""
    desk = _calm(stage, "flicker", ONE)
    gamer = desk.gamer()
    for start, end in stage.clock.halves:
        for ts in range(start - BLINK // 2, end, 2 * BLINK):
            gamer.good(ts, 0)
            gamer.withdraw(ts + BLINK, 0)
    desk.honest()


def ioc(stage: Stage) -> None:
    """Quotes that last a microsecond, one a second, also at every whole minute."""
    desk = _calm(stage, "ioc", ONE)
    gamer = desk.gamer()
    for start, end in stage.clock.halves:
        for ts in range(start, end, SECOND):
            gamer.good(ts, 0)
            gamer.withdraw(ts + MICROSECOND, 0)
    desk.honest()


def fast_market(stage: Stage) -> None:
    """Spends its budget in the fast 9 % of the day."""
    clock, desk = stage.clock, stage.desk("fast-market", THEOS)
    start = int(desk.rng.integers(clock.share(20), clock.share(80)))
    fast = (clock.at(start), clock.at(start + clock.share(9)))
    desk.market(fast=[fast])
    desk.gamer().present(away(clock, [fast]))
    desk.honest()


def early_close(stage: Stage) -> None:
    """Vanishes for the last 9 % of the day."""
    desk = _calm(stage, "early-close", THEOS)
    gone = stage.clock.at(stage.clock.share(91))
    desk.gamer().present(away(stage.clock, [(gone, stage.clock.closes)]))
    desk.honest()


def fade(stage: Stage) -> None:
    """Withdraws 200 us after theo jumps towards it and is back 0.8 s later: about 8 % of the day."""
    clock, desk = stage.clock, stage.desk("fade", THEOS)
    spent = [int(t) for t in range(5 * SECOND, clock.total - 2 * SECOND, 10 * SECOND)]
    jumps = [clock.at(t + int(desk.rng.integers(0, SECOND))) for t in spent]
    desk.market(jumps=jumps)
    gone = [(t + 200 * MICROSECOND, t + 800 * MILLISECOND) for t in jumps]
    desk.gamer().present(away(clock, gone))
    desk.honest()


def rotation(stage: Stage) -> None:
    """Two makers leave the same contract at the same time, one after the other: each has 90 %, the market a hole."""
    clock, contracts = stage.clock, 10
    desk = _calm(stage, "rotation", (10_000_000,) * contracts)
    pair = [desk.gamer(), desk.player("rotation-colleague", "rotation")]
    tenth = clock.total // contracts
    for k in range(contracts):
        gone = (clock.at(k * tenth + 1), clock.at(k * tenth + clock.share(9.9)))
        for maker in pair:
            maker.present(away(clock, [gone]), [k])


def flood(stage: Stage) -> None:
    """Good quotes all day, and 500 changes of size in a twentieth of a second every ten."""
    desk = _calm(stage, "flood", ONE)
    gamer = desk.gamer()
    for start, end in stage.clock.halves:
        for burst in range(start, end, 10 * SECOND):
            gamer.good(burst, 0)
            bid, ask = gamer.around(desk.theo_at(burst, 0))
            for i in range(1, 500):
                lots = 10 + i % 5
                gamer.quote(burst + i * SECOND // 10_000, 0, bid, ask, (lots, lots), good=True)
    desk.honest()


def _calm(stage: Stage, name: str, theos: tuple[int, ...]) -> Desk:
    desk = stage.desk(name, theos)
    desk.market()
    return desk
