"""Ready-made scenarios: the trading day of the demo, and small random sessions for tests.

`szse_day` keeps the phases of the SZSE calendar, so that rulebook `szse-2025` knows how much of
the day is left; it is made short by a low record rate per session second and a high playing speed,
not by other hours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta, timezone

import numpy as np

from mm_monitor.simulator.market import ETFS
from mm_monitor.simulator.scenario import (
    ALL,
    SECOND,
    Behaviour,
    Exemption,
    FeedOutage,
    Maker,
    PhaseChange,
    Scenario,
    TheoGap,
)

SHANGHAI = timezone(timedelta(hours=8))
CALENDAR = (
    ("09:15", "opening_auction"),
    ("09:25", "break"),
    ("09:30", "continuous"),
    ("11:30", "break"),
    ("13:00", "continuous"),
    ("14:57", "closing_auction"),
    ("15:00", "closed"),
)
OPEN_SECONDS = 14_220
DEMO_DATE = date(2025, 9, 1)

_DAY_MAKERS = (
    *[Behaviour.HONEST] * 10,
    Behaviour.FAR,
    Behaviour.BUDGET,
    Behaviour.WIDE,
    Behaviour.ONE_SIDED,
    Behaviour.CROSSED,
    Behaviour.ABSENT,
    Behaviour.VANISHES,
    Behaviour.FLICKERS,
    Behaviour.LATE,
    Behaviour.CHERRY_PICKS,
)


def at(day: date, clock: str) -> int:
    """The instant of a wall time in Shanghai, ns since the epoch."""
    moment = datetime.combine(day, time.fromisoformat(clock), SHANGHAI)
    return int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * SECOND


def name_makers(behaviours: Sequence[Behaviour], latency_ns: int = 0) -> tuple[Maker, ...]:
    """Makers named for what they do, as `wide-13`. Every third honest one has some latency."""
    return tuple(
        Maker(
            f"{behaviour.value}-{i:02d}",
            behaviour,
            latency_ns=latency_ns if behaviour is Behaviour.HONEST and i % 3 == 0 else 0,
        )
        for i, behaviour in enumerate(behaviours, 1)
    )


def day_makers(count: int) -> list[Behaviour]:
    """`count` behaviours in the proportions of the demo: about three of five are allowed."""
    if count >= len(_DAY_MAKERS):
        return [Behaviour.HONEST] * (count - len(_DAY_MAKERS)) + list(_DAY_MAKERS)
    return [_DAY_MAKERS[i * len(_DAY_MAKERS) // count] for i in range(count)]


def szse_day(
    seed: int = 1,
    *,
    day: date = DEMO_DATE,
    makers: int = 20,
    classes: int = 4,
    contracts: int = 600,
    records: int = 15_000_000,
    incidents: bool = True,
) -> Scenario:
    """A whole trading day with about `records` quotes and theos in its 14 220 s of trading.

    `contracts` counts over all `classes` (at most four). With `incidents`, one contract is halted
    over the lunch break, another has a breaker auction, a theo is withdrawn for a while and a feed
    goes down.
    """
    rate = max(1, records // OPEN_SECONDS)
    behaviours = day_makers(makers)
    scenario = Scenario(
        makers=name_makers(behaviours, latency_ns=SECOND // 1000),
        phases=tuple(PhaseChange(at(day, clock), ALL, phase) for clock, phase in CALENDAR),
        date=day,
        seed=seed,
        classes=ETFS[:classes],
        contracts_per_class=contracts // classes,
        records_per_second=rate,
        # A flickering maker writes a tenth of the records at most.
        flicker_ns=max(5 * SECOND // 1000, 10 * contracts * SECOND // rate),
        lead_in_ns=5 * SECOND,
    )
    return _with_incidents(scenario, day) if incidents else scenario


def _with_incidents(scenario: Scenario, day: date) -> Scenario:
    names = [contract.name for contract in scenario.contracts]
    halted, broken = names[0], names[-1]
    phases = (
        PhaseChange(at(day, "11:20"), halted, "halt"),
        PhaseChange(at(day, "13:02"), halted, "continuous"),
        PhaseChange(at(day, "10:00"), broken, "breaker_auction"),
        PhaseChange(at(day, "10:03"), broken, "continuous"),
    )
    outage = FeedOutage(
        scenario.classes[-1].name, scenario.makers[0].name, at(day, "13:30"), at(day, "13:31"), None
    )
    gap = TheoGap(names[len(names) // 2], at(day, "14:00"), at(day, "14:04"))
    return replace(
        scenario, phases=scenario.phases + phases, feed_outages=(outage,), theo_gaps=(gap,)
    )


def speed_for(scenario: Scenario, wall_seconds: float) -> float:
    """The playing speed at which continuous trading takes `wall_seconds`."""
    return scenario.open_ns / SECOND / wall_seconds


def random_session(
    seed: int,
    *,
    seconds: float = 10.0,
    makers: int = 4,
    classes: int = 2,
    contracts: int = 8,
    records_per_second: int = 1_500,
    exempt: bool = False,
) -> Scenario:
    """A small session in which anything may happen, at instants odd to the nanosecond.

    Over the seeds: any behaviour, makers of one class who quote others too, breaks, halts that
    outlive them, breaker auctions, withdrawn theos, and either feed outages or bad quotes.
    `exempt` adds exemptions, which need the capture's own rulebook.
    """
    rng = np.random.default_rng([seed, 100])
    length = int(seconds * SECOND)
    start = at(DEMO_DATE, "09:30") + int(rng.integers(0, SECOND))
    underlyings = ETFS[:classes]
    plain = Scenario(
        makers=_random_makers(rng, makers, [underlying.name for underlying in underlyings]),
        phases=_random_market(rng, start, length),
        date=DEMO_DATE,
        seed=seed,
        classes=underlyings,
        contracts_per_class=contracts // classes,
        records_per_second=records_per_second,
        flicker_ns=int(rng.choice([5_000_000, 50_000_000, 123_456_789])),
        lead_in_ns=int(rng.integers(0, SECOND)),
        quiet_breaks=bool(rng.random() < 0.5),
    )
    return _with_random_incidents(rng, plain, exempt)


def _random_makers(rng: np.random.Generator, count: int, classes: list[str]) -> tuple[Maker, ...]:
    behaviours = list(Behaviour)
    drawn = [behaviours[i] for i in rng.integers(0, len(behaviours), count).tolist()]
    drawn[0] = Behaviour.HONEST
    named = name_makers(drawn)
    latency = int(rng.integers(1, 2_000_000))
    return tuple(
        Maker(
            maker.name,
            maker.behaviour,
            (ALL,) if rng.random() < 0.7 else (str(rng.choice(classes)),),
            latency if rng.random() < 0.4 else 0,
            strays=bool(rng.random() < 0.5),
        )
        for maker in named
    )


def _instants(rng: np.random.Generator, start: int, length: int, count: int) -> list[int]:
    """`count` distinct sorted instants in (start, start + length)."""
    return [start + 1 + i for i in sorted(rng.choice(length - 1, count, replace=False).tolist())]


def _random_market(rng: np.random.Generator, start: int, length: int) -> tuple[PhaseChange, ...]:
    opened = start + int(rng.integers(0, length // 10))
    a, b, c = _instants(rng, opened + length // 10, length // 2, 3)
    phases = [
        PhaseChange(start, ALL, "opening_auction"),
        PhaseChange(opened, ALL, "continuous"),
        PhaseChange(a, ALL, "break"),
        PhaseChange(b, ALL, "continuous"),
        PhaseChange(c, ALL, str(rng.choice(["halt", "continuous"]))),
        PhaseChange(c + length // 20, ALL, "continuous"),
        PhaseChange(start + length - length // 20, ALL, "closing_auction"),
        PhaseChange(start + length, ALL, "closed"),
    ]
    return tuple(phases[1:] if opened == start else phases)


def _with_random_incidents(rng: np.random.Generator, plain: Scenario, exempt: bool) -> Scenario:
    names = [contract.name for contract in plain.contracts]
    scopes = [ALL, *[underlying.name for underlying in plain.classes], *names]
    who = [ALL, *[maker.name for maker in plain.makers]]
    begin, length = plain.start, plain.end - plain.start

    def pick(choices: list[str]) -> str:
        return str(rng.choice(choices))

    phases = plain.phases
    for scope in (pick(names), pick(scopes[1:])):
        out, back = _instants(rng, begin, length, 2)
        phase = pick(["halt", "breaker_auction"])
        phases += (PhaseChange(out, scope, phase), PhaseChange(back, scope, "continuous"))
    gaps = tuple(
        TheoGap(name, *_instants(rng, begin, length, 2))
        for name in sorted({pick(names), pick(names)})
    )
    outages: tuple[FeedOutage, ...] = ()
    if rng.random() < 0.6:
        cuts = _instants(rng, begin, length, 6)
        outages = tuple(
            FeedOutage(pick(scopes), pick(who), down, up, synced if rng.random() < 0.7 else None)
            for down, up, synced in (cuts[:3], cuts[3:])
        )
    exemptions = tuple(
        Exemption(pick(scopes), pick(who), "technical", *_instants(rng, begin, length, 2))
        for _ in range(2 if exempt else 0)
    )
    return replace(
        plain,
        phases=phases,
        theo_gaps=gaps,
        feed_outages=outages,
        exemptions=exemptions,
        poison=0 if outages else int(rng.integers(0, 30)),
    )
