"""STAB-01 and STAB-02: how long a maker's sessions were logged on while there was trading, and what was refused.

A session's state is counted by its maker's own clock, which runs while any of the maker's contracts is in continuous
trading within the period. Before the first session record of a trading date its state is unknown, not off.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

ON, OFF, UNKNOWN = "on", "off", "unknown"
MOST_REASONS, OTHER = 50, "other"  # further reasons of a maker and day are counted as one
_BECOMES = {"logon": ON, "logoff": OFF, "disconnect": OFF}


@dataclass(slots=True)
class Clock:
    """Obliged session time of one maker: `value` ns at `at`."""

    value: int = 0
    at: int = 0
    runs: bool = False

    def read(self, t: int) -> int:
        """Its value at `t`, not before `at`."""
        return self.value + (t - self.at if self.runs else 0)


@dataclass(frozen=True, slots=True)
class Outage:
    """A session that a disconnect took away at `start`, back by a logon at `end` (None: not yet); event time."""

    start: int
    end: int | None
    counts: bool  # did it begin within the period?


@dataclass(slots=True)
class Session:
    """One account of a maker; times in ns of the maker's clock, counted up to its value `seen`."""

    state: str = UNKNOWN
    seen: int = 0
    on: int = 0
    off: int = 0
    unknown: int = 0
    protections: int = 0  # mass quote protections
    outages: list[Outage] = field(default_factory=list)  # of the trading date, in order

    def run(self, clock: int) -> None:
        """The state has stood until the maker's clock reached `clock`."""
        passed = clock - self.seen
        if self.state == ON:
            self.on += passed
        elif self.state == OFF:
            self.off += passed
        else:
            self.unknown += passed
        self.seen = clock

    def turn(self, t: int, status: str, judging: bool) -> None:
        """A record of the session at `t`; what happens outside the period is not counted."""
        if status == "mass_quote_protection":
            self.protections += judging
            self.state = ON if self.state == UNKNOWN else self.state
            return
        if status == "disconnect" and self.state != OFF:
            self.outages.append(Outage(t, None, judging))
        if status == "logon" and self.outages and self.outages[-1].end is None:
            self.outages[-1] = replace(self.outages[-1], end=t)
        self.state = _BECOMES[status]

    def begun(self) -> Session:
        """The session at the start of a period: what stands is carried into it."""
        open_ones = [replace(outage, counts=False) for outage in self.outages if outage.end is None]
        return Session(state=self.state, outages=open_ones)

    def away(self, t: int) -> Outage | None:
        """The outage that `t` falls into."""
        i = bisect_right(self.outages, t, key=lambda outage: outage.start) - 1
        outage = self.outages[i] if i >= 0 else None
        return outage if outage and (outage.end is None or t < outage.end) else None


@dataclass(frozen=True, slots=True)
class SessionRow:
    """STAB-01 of one session as of an instant: ns of obliged session time; recovery in event time."""

    maker: str
    account: str
    state: str  # on | off | unknown
    on: int
    off: int
    unknown: int
    protections: int
    outages: tuple[Outage, ...]  # those that began within the period
    recovery: int  # ns of those that are over, summed
    longest_recovery: int  # of all, one that goes on included


@dataclass(frozen=True, slots=True)
class RejectRow:
    """STAB-02 of one maker: messages refused by reason, and quotes heard, within the period."""

    maker: str
    submitted: int
    by_reason: Mapping[str, int]


class Stability:
    """Sessions and refusals of all makers."""

    def __init__(self) -> None:
        self.clocks: dict[str, Clock] = {}
        self.sessions: dict[tuple[str, str], Session] = {}  # maker, account
        self.rejects: dict[str, dict[str, int]] = {}  # maker -> reason -> messages
        self.submitted: dict[str, int] = {}  # maker -> quotes, good or bad
        self.judging = False
        self.trading: frozenset[str] = frozenset()  # makers with a contract in continuous trading

    def session(self, t: int, maker: str, account: str, status: str) -> None:
        """What became of a session at `t`."""
        session = self.sessions.setdefault((maker, account), Session())
        session.run(self._read(maker, t))
        session.turn(t, status, self.judging)

    def _read(self, maker: str, t: int) -> int:
        clock = self.clocks.get(maker)
        return clock.read(t) if clock is not None else 0

    def reject(self, maker: str, reason: str) -> None:
        """The venue refused a message."""
        if self.judging:
            reasons = self.rejects.setdefault(maker, {})
            name = reason if reason in reasons or len(reasons) < MOST_REASONS else OTHER
            reasons[name] = reasons.get(name, 0) + 1

    def submit(self, maker: str, quotes: int) -> None:
        """So many quotes of a maker were heard."""
        if self.judging:
            self.submitted[maker] = self.submitted.get(maker, 0) + quotes

    def trade(self, t: int, makers: frozenset[str]) -> None:
        """From `t` on these makers have a contract in continuous trading, others have none."""
        self.trading = makers
        self._switch(t)

    def _switch(self, t: int) -> None:
        runs = self.trading if self.judging else frozenset()
        for maker in runs - self.clocks.keys():
            self.clocks[maker] = Clock(at=t)
        for maker, clock in self.clocks.items():
            if clock.runs != (maker in runs):
                clock.value, clock.at, clock.runs = clock.read(t), t, not clock.runs

    def begin(self, t: int) -> None:
        """A period begins: states stay, counts and clocks start at zero."""
        self.judging, self.clocks = True, {}
        self._switch(t)
        self.sessions = {key: session.begun() for key, session in self.sessions.items()}
        self.rejects, self.submitted = {}, {}

    def resume(self, t: int) -> None:
        """The period goes on after its end was taken back."""
        self.judging = True
        self._switch(t)

    def end(self, t: int) -> None:
        """The period is over."""
        self.judging = False
        self._switch(t)

    def roll(self) -> None:
        """Another trading date: of no session is anything known."""
        self.sessions = {}

    def away(self, maker: str, t: int) -> tuple[str, Outage] | None:
        """The first account of the maker, by name, that a disconnect had taken away at `t`."""
        for key in sorted(key for key in self.sessions if key[0] == maker):
            outage = self.sessions[key].away(t)
            if outage is not None:
                return key[1], outage
        return None

    def session_rows(self, t: int, makers: Iterable[str]) -> tuple[SessionRow, ...]:
        """As of `t`, of those `makers` of whom a session is known; sorted by maker, account. Changes nothing."""
        known, rows = set(makers), []
        for maker, account in sorted(self.sessions):
            if maker in known:
                session = replace(self.sessions[maker, account])
                session.run(self._read(maker, t))
                rows.append(_row(maker, account, session, t))
        return tuple(rows)

    def reject_rows(self, makers: Iterable[str]) -> tuple[RejectRow, ...]:
        """Of those `makers` of whom anything was refused; sorted by maker."""
        return tuple(
            RejectRow(
                maker, self.submitted.get(maker, 0), dict(sorted(self.rejects[maker].items()))
            )
            for maker in sorted(set(makers) & self.rejects.keys())
        )

    def state(self) -> dict[str, Any]:
        """All that decides what will be said."""
        return {
            "clocks": self.clocks,
            "sessions": [[*key, session] for key, session in sorted(self.sessions.items())],
            "rejects": self.rejects,
            "submitted": self.submitted,
            "judging": self.judging,
            "trading": sorted(self.trading),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Inverse of `state`."""
        self.clocks, self.rejects = dict(state["clocks"]), dict(state["rejects"])
        self.submitted, self.judging = dict(state["submitted"]), state["judging"]
        self.trading = frozenset(state["trading"])
        self.sessions = {(maker, account): s for maker, account, s in state["sessions"]}


def _row(maker: str, account: str, session: Session, t: int) -> SessionRow:
    outages = tuple(outage for outage in session.outages if outage.counts)
    over = [outage.end - outage.start for outage in outages if outage.end is not None]
    going = [t - outage.start for outage in outages if outage.end is None]
    return SessionRow(
        maker=maker, account=account, state=session.state, on=session.on, off=session.off,
        unknown=session.unknown, protections=session.protections, outages=outages,
        recovery=sum(over), longest_recovery=max([*over, *going], default=0),
    )  # fmt: skip
