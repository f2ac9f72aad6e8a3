"""What accrues beside a slot's totals, in plain Python: tumbling windows (PRES-06) and time inside stress (PRES-09).

A window is laid in the slot's own obliged time. However many of them a stretch of one state fills, they are alike: they
are counted by one division.
"""

from __future__ import annotations

from dataclasses import dataclass

from mm_monitor.kernels.layout import DEEMED, EXEMPT, UNKNOWN, VALID
from mm_monitor.kernels.reference_state import Apart, Param, Win


@dataclass(frozen=True, slots=True)
class Rule:
    """When a window of `width` ns passes: quoted >= num / den of what it requires."""

    width: int
    num: int
    den: int

    @classmethod
    def of(cls, width: int, p: Param) -> Rule:
        """The rulebook's requirement, for one width."""
        return cls(width, p.req_num, p.req_den)


def add(v: Win, rule: Rule, state: int, d: int) -> None:
    """`d` ns of obliged time in `state`: the rest of the open window, whole windows, the beginning of the next."""
    room = rule.width - v.elapsed
    if d < room:
        put(v, state, d)
        return
    put(v, state, room)
    close(v, rule, 1)
    whole, rest = divmod(d - room, rule.width)
    if whole:
        put(v, state, rule.width)
        close(v, rule, whole)
    put(v, state, rest)


def put(v: Win, state: int, d: int) -> None:
    """Time of the open window; what is none of the three is lapsed."""
    v.elapsed += d
    if state in (VALID, DEEMED):
        v.quoted += d
    elif state == EXEMPT:
        v.exempt += d
    elif state == UNKNOWN:
        v.unknown += d


def close(v: Win, rule: Rule, n: int) -> None:
    """Count `n` windows like the one that is full now, and open the next.

    An empty one, all of it exempt, neither ends a run of failed windows nor adds to it.
    """
    required = rule.width - v.exempt
    if required == 0:
        pass
    elif v.quoted * rule.den >= rule.num * required:
        v.passed += n
        v.run = 0
    elif (v.quoted + v.unknown) * rule.den < rule.num * required:
        v.failed += n
        v.run += n
        v.longest = max(v.longest, v.run)
    else:
        v.hanging += n
        v.run = 0
    v.elapsed = v.quoted = v.exempt = v.unknown = 0


def add_apart(x: Apart, state: int, d: int) -> None:
    """`d` ns inside stress; exempt time is no part of it."""
    if state in (VALID, DEEMED):
        x.quoted += d
    elif state == UNKNOWN:
        x.unknown += d
    elif state != EXEMPT:
        x.lapsed += d
