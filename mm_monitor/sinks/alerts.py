"""Breaches as alerts: names, labels, annotations, and which of them are open or just resolved. No
I/O.

The labels are the identity and never change while a breach is open; two breaches with the same
labels are one alert.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from urllib.parse import urlencode

from mm_monitor.core.model import Breach, BreachKind
from mm_monitor.core.view import StatusView
from mm_monitor.formats import NS, json_bytes, rfc3339
from mm_monitor.sinks.causes import by_cause

CONCERN = "breached"  # a maker's doing; those of Prometheus's rules may be blind, wrong or delivery
Key = tuple[str, str, str, str]  # rulebook, kind, maker, contract or cause
Alert = dict[str, object]  # one element of the body of POST /api/v2/alerts


@dataclass(frozen=True, slots=True)
class AlertKind:
    """How breaches of one kind alert. `summary` and `meaning` are templates over the breach."""

    name: str
    severity: str
    summary: str
    meaning: str


KINDS: Mapping[str, AlertKind] = MappingProxyType(
    {
        BreachKind.PRESENCE.value: AlertKind(
            "MMPresenceBreached",
            "critical",
            "{maker} did not keep the required presence",
            "The period is over and the presence that the rulebook judges is below the "
            "requirement.",
        ),
        BreachKind.PRESENCE_UNREACHABLE.value: AlertKind(
            "MMPresenceUnreachable",
            "critical",
            "{maker} can no longer reach the required presence today",
            "Even valid quotes for all the time that remains would not meet the requirement.",
        ),
        BreachKind.LAPSE.value: AlertKind(
            "MMLapseTooLong",
            "warning",
            "{maker} has no valid quote on {contract} for longer than permitted",
            "The lapse is longer than the longest one that the rulebook permits.",
        ),
        BreachKind.SPREAD.value: AlertKind(
            "MMSpreadTooWide",
            "warning",
            "{maker} quotes {contract} wider than the limit",
            "The spread has been beyond its limit for longer than the grace that the rulebook "
            "gives.",
        ),
        BreachKind.STRESS_PRESENCE.value: AlertKind(
            "MMStressPresenceBreached",
            "critical",
            "{maker} did not keep the presence required in an extreme market",
            "The period is over and the presence inside stress is below its own requirement.",
        ),
        BreachKind.MARKET_HOLE.value: AlertKind(
            "MMMarketHole",
            "warning",
            "No maker has a valid quote on {contract} for longer than permitted",
            "The market hole is longer than the longest one that the rulebook permits.",
        ),
        BreachKind.RFQ.value: AlertKind(
            "MMRequestsUnanswered",
            "critical",
            "{maker} answered too few requests for quotes",
            "The period is over and fewer requests for quotes were answered than the rulebook "
            "requires.",
        ),
        BreachKind.PRESENCE_AT_RISK.value: AlertKind(
            "MMPresenceAtRisk",
            "warning",
            "{maker} loses quoting time too fast to keep the required presence",
            "The time that may be lost is lost faster than the rulebook lets pass, over a long and "
            "a short span.",
        ),
    }
)


AT_THE_END = (
    BreachKind.PRESENCE,
    BreachKind.STRESS_PRESENCE,
    BreachKind.RFQ,
)  # of the period: they have no duration


@dataclass(frozen=True, slots=True)
class AlertStyle:
    """What the configuration may add to every alert."""

    labels: Mapping[str, str] = field(default_factory=dict)
    severities: Mapping[str, str] = field(default_factory=dict)  # by breach kind
    monitor_url: str = ""  # where people reach the monitor, for the alert's source link
    runbooks_url: str = ""  # where they read what to do, a page NAME.md for each alert
    dashboards_url: str = ""  # Grafana, with the dashboards of deploy/grafana


def kind_of(kind: str) -> AlertKind:
    """The entry of `kind`, or a plain one for a kind that has none."""
    if kind in KINDS:
        return KINDS[kind]
    name = "MM" + "".join(part.capitalize() for part in kind.split("_"))
    return AlertKind(name, "warning", f"{{maker}}: {kind} {{contract}}", f"Breach of kind {kind}.")


def labels_of(breach: Breach, style: AlertStyle) -> dict[str, str]:
    """The identity of the alert of `breach`; empty labels are left out, as Alertmanager does."""
    kind = kind_of(breach.kind)
    made = {
        **style.labels,
        "alertname": kind.name,
        "rulebook": breach.rulebook,
        "kind": breach.kind,
        "maker": breach.maker,
        "contract": "" if _is_group(breach) else breach.contract,
        "class": "" if _is_group(breach) else breach.klass,
        "cause": str(breach.evidence["cause"]) if _is_group(breach) else "",
        "severity": style.severities.get(breach.kind, kind.severity),
        "concern": CONCERN,
    }
    return {name: value for name, value in made.items() if value}


def _is_group(breach: Breach) -> bool:
    """Breaches of one cause: which contracts they are of changes while it goes on."""
    return "count" in breach.evidence and "cause" in breach.evidence


def annotations_of(breach: Breach) -> dict[str, str]:
    """What may change and what a person reads."""
    kind = kind_of(breach.kind)
    everywhere = "all contracts"
    if _is_group(breach):
        everywhere = f"{breach.evidence['count']} contracts"
    names = {"maker": breach.maker, "contract": breach.contract or everywhere}
    made = {
        "summary": kind.summary.format(**names),
        "description": f"{kind.meaning} Main reason: {breach.reason or 'none'}.",
        "breach_id": breach.id,
        "rulebook_version": str(breach.version),
        "reason": breach.reason,
        "started": rfc3339(breach.start),
        "evidence": json_bytes(dict(breach.evidence), order="sorted").decode(),
    }
    if _is_group(breach):
        made["count"] = str(breach.evidence["count"])
        made["open"] = str(breach.evidence["open"])
    return made if breach.end is None else {**made, "ended": rfc3339(breach.end)}


def links_of(breach: Breach, style: AlertStyle) -> dict[str, str]:
    """Annotations that lead on: what to do, and the dashboard of whom it is about. None where no address is known."""
    made = {}
    if style.runbooks_url:
        made["runbook_url"] = f"{style.runbooks_url.rstrip('/')}/{kind_of(breach.kind).name}.md"
    if style.dashboards_url:
        board = "mm-maker" if breach.maker else "mm-class"
        named = {"rulebook": breach.rulebook, "maker": breach.maker, "class": breach.klass}
        query = urlencode({f"var-{name}": value for name, value in named.items() if value})
        made["dashboard_url"] = f"{style.dashboards_url.rstrip('/')}/d/{board}?{query}"
    return made


def alert(breach: Breach, style: AlertStyle, now: int, hold: int) -> Alert:
    """The alert of `breach` as posted at `now`; an open one ends `hold` ns later unless re-sent.

    All ns. Alertmanager compares the end with its own clock: a session replayed ahead of the clock
    must not end in its future, or it would fire on.
    """
    if breach.end is None:
        start, end = breach.start, max(now, breach.start) + hold
    else:
        end = min(breach.end, now)
        start = min(breach.start, end)
    made: Alert = {
        "labels": labels_of(breach, style),
        "annotations": {**annotations_of(breach), **links_of(breach, style)},
        "startsAt": rfc3339(start),
        "endsAt": rfc3339(end),
    }
    if style.monitor_url:
        made["generatorURL"] = f"{style.monitor_url.rstrip('/')}/api/v1/breaches?open=true"
    return made


class AlertBook:
    """Which breaches are open, and which were closed lately, by identity."""

    def __init__(self, resolved_for: int) -> None:
        """`resolved_for`: ns of the clock for which a closed breach is still told."""
        self._resolved_for = resolved_for
        self._open: dict[Key, Breach] = {}
        self._resolved: dict[Key, tuple[Breach, int]] = {}  # and until when it is told
        self._closed: set[str] = set()  # ids of closed breaches that were taken up

    def reconcile(self, views: Sequence[StatusView], now: int) -> None:
        """Make the book agree with the newest views; `now` is the clock, ns."""
        told = [(_as_told(b), view.at) for view in views for b in by_cause(view.breaches)]
        closed = {b.id: (b, at) for b, at in told if b.end is not None}
        current: dict[Key, Breach] = {}
        for breach in (b for b, _ in told if b.end is None):
            known = current.setdefault(_key(breach), breach)
            if breach.start < known.start:
                current[_key(breach)] = breach
        for gone in self._open.values():
            if _key(gone) not in current and gone.id not in closed:
                self._resolve(replace(gone, end=now), now)  # withdrawn, or of yesterday
        self._take_closed(closed, now)
        self._open = current
        self._resolved = {
            key: kept
            for key, kept in self._resolved.items()
            if key not in current and kept[1] > now
        }

    def _take_closed(self, closed: Mapping[str, tuple[Breach, int]], now: int) -> None:
        """New ones, and after a restart those that were closed within the time of telling."""
        was_open = {breach.id for breach in self._open.values()}
        for breach, at in closed.values():
            recent = breach.end is not None and breach.end >= at - self._resolved_for
            if breach.id not in self._closed and (recent or breach.id in was_open):
                self._resolve(breach, now)
        self._closed = set(closed)

    def _resolve(self, breach: Breach, now: int) -> None:
        known = self._resolved.get(_key(breach))
        if known is None or known[0].start <= breach.start:
            self._resolved[_key(breach)] = (breach, now + self._resolved_for)

    def breaches(self) -> dict[Key, Breach]:
        """Everything to tell, open or resolved, by identity."""
        return {**{key: kept[0] for key, kept in self._resolved.items()}, **self._open}


def _as_told(breach: Breach) -> Breach:
    """A failed presence is a fact of the trading date, without duration: its alert stands while the date does."""
    return replace(breach, end=None) if breach.kind in AT_THE_END else breach


def _key(breach: Breach) -> Key:
    what = str(breach.evidence["cause"]) if _is_group(breach) else breach.contract
    return breach.rulebook, breach.kind, breach.maker, what


def in_parts(alerts: Sequence[Alert], most: int) -> list[Sequence[Alert]]:
    """Bodies of at most `most` alerts."""
    return [alerts[i : i + most] for i in range(0, len(alerts), most)]


def seconds(value: float) -> int:
    """Seconds as whole ns."""
    return int(value * NS)
