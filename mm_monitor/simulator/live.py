"""A session that begins now and runs by the clock, with the rulebook that has its calendar: to exercise a deployment.

All its instants are whole seconds, and its trading date begins about noon, so that it meets no midnight.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from mm_monitor.errors import MonitorError
from mm_monitor.simulator.days import day_makers, name_makers
from mm_monitor.simulator.market import ETFS
from mm_monitor.simulator.scenario import ALL, SECOND, PhaseChange, Scenario

RULEBOOK = "simulated-now"
LEAD_SECONDS = 10
LEAST_SECONDS = 20
MOST_SECONDS = 6 * 3_600
# Where in the session each phase begins, in percent.
PHASES = (
    (0, "opening_auction"),
    (8, "continuous"),
    (50, "break"),
    (58, "continuous"),
    (100, "closed"),
)


def zone_of(start: int) -> int:
    """Hours that the clocks of the session are ahead of UTC: it is about noon when it begins. `start` in ns."""
    return 12 - datetime.fromtimestamp(start // SECOND, UTC).hour


def live_session(
    start: int, seconds: int, *, seed: int = 1, makers: int = 20, classes: int = 4,
    contracts: int = 600, rate: int = 2_000,
) -> Scenario:  # fmt: skip
    """A session that opens at `start` (ns, on a whole second) and lasts `seconds`; `rate` in records a second.

    Raises MonitorError for a session too short or too long to have its phases within a trading date.
    """
    if not LEAST_SECONDS <= seconds <= MOST_SECONDS:
        raise MonitorError(
            f"seconds must be {LEAST_SECONDS} to {MOST_SECONDS} of a session now, got {seconds}"
        )
    zone = timezone(timedelta(hours=zone_of(start)))
    return Scenario(
        makers=name_makers(day_makers(makers), latency_ns=SECOND // 1000),
        phases=tuple(
            PhaseChange(start + seconds * share // 100 * SECOND, ALL, phase)
            for share, phase in PHASES
        ),
        date=datetime.fromtimestamp(start // SECOND, zone).date(),
        seed=seed,
        classes=ETFS[:classes],
        contracts_per_class=contracts // classes,
        records_per_second=rate,
        flicker_ns=max(SECOND // 200, 10 * contracts * SECOND // rate),
        quiet_breaks=False,
    )


def longest_lapse(scenario: Scenario) -> int:
    """The longest lapse that the rulebook permits, whole seconds: twice what an honest maker's last."""
    return max(1, scenario.open_ns // 50 // SECOND)


def live_rulebook(scenario: Scenario) -> str:
    """The rulebook of a session as TOML: the tests of `szse-2025`, and the session's own hours."""
    hours = zone_of(scenario.start)
    zone = timezone(timedelta(hours=hours))
    clocks = [
        (datetime.fromtimestamp(phase.ts // SECOND, zone).strftime("%H:%M:%S"), phase.phase)
        for phase in scenario.market_phases
    ]
    phases = ",\n          ".join(f'{{ at = "{at}", phase = "{phase}" }}' for at, phase in clocks)
    lapse = longest_lapse(scenario)
    return f"""\
# Written by `mm-monitor simulate --now`: the hours of one simulated session.
id = "{RULEBOOK}"
version = 1
title = "A simulated session that runs by the clock"
source = "made up"

[calendar]
timezone = "Etc/GMT{-hours:+d}"
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
phases = [{phases}]

[spread]
combine = "max"
terms = [{{ relative = "3%", of = "theo" }}, {{ ticks = 1 }}]
grace = "{lapse}s"

[lapse]
longest_permitted = "{lapse}s"

[market_hole]
longest_permitted = "{lapse}s"

[presence]
required = "90%"
judged_by = "ratio_of_sums"
"""
