"""Every exported metric of an evaluator: name, labels, meaning, and how its value is read.

The tables are the exporter: what is not in them is not on `/metrics`, and `docs/metrics.md` lists
the same. Counters cover one trading date and start at zero again at its roll-over. A value of None
is no sample.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mm_monitor.core.model import State, Verdict
from mm_monitor.core.view import ObligationColumns, PresenceRow, StatusView
from mm_monitor.formats import NS, ratio_number
from mm_monitor.sinks.exposition import Metric, Number

RULEBOOK = ("rulebook",)
MAKER = ("rulebook", "maker")
CLASS = ("rulebook", "maker", "class")
CONTRACT = ("rulebook", "maker", "class", "contract")
VERDICTS = tuple(verdict.value for verdict in Verdict)


@dataclass(frozen=True, slots=True)
class RowMetric:
    """A metric with one sample for each `PresenceRow`."""

    metric: Metric
    value: Callable[[PresenceRow], Number | None]


@dataclass(frozen=True, slots=True)
class ViewMetric:
    """A metric with one sample for each rulebook."""

    metric: Metric
    value: Callable[[StatusView], Number | None]


@dataclass(frozen=True, slots=True)
class ColumnMetric:
    """A metric with one sample for each exported obligation, computed by column."""

    metric: Metric
    values: Callable[[ObligationColumns], np.ndarray[tuple[int], np.dtype[np.float64]]]


def _row(
    name: str,
    type: str,
    labels: tuple[str, ...],
    meaning: str,
    value: Callable[[PresenceRow], Number | None],
) -> RowMetric:
    return RowMetric(Metric("mm_monitor_" + name, type, labels, meaning), value)


def _seconds(ns: int | None) -> float | None:
    return None if ns is None else ns / NS


def _levels(level: str, labels: tuple[str, ...], of: str) -> tuple[RowMetric, ...]:
    """What is reported of a maker and of a maker in one class alike, under names of their own.

    Two levels in one metric would be added up by the first `sum()`.
    """
    return (
        _row(
            f"{level}_presence_ratio",
            "gauge",
            labels,
            f"Presence of {of} since the trading date began: sum of quoted time / sum of required"
            " time. "
            "No sample while nothing was required.",
            lambda row: None if row.presence is None else ratio_number(row.presence),
        ),
        _row(
            f"{level}_mean_presence_ratio",
            "gauge",
            labels,
            f"Mean of the presences of the contracts of {of}. No sample while nothing was "
            "required.",
            lambda row: None if row.mean_of_ratios is None else ratio_number(row.mean_of_ratios),
        ),
        _row(
            f"{level}_coverage_ratio",
            "gauge",
            labels,
            f"Coverage of {of}: contracts that pass / contracts required. No sample while none "
            "was required.",
            lambda row: None if row.coverage is None else ratio_number(row.coverage),
        ),
        _row(
            f"{level}_slack_seconds",
            "gauge",
            labels,
            f"Slack of {of}: obligation time that may still be lost, summed over contracts; "
            "negative when the "
            "requirement is out of reach unless unknown time turns out well. No sample without a "
            "requirement.",
            lambda row: _seconds(row.slack),
        ),
        _row(
            f"{level}_unreachable",
            "gauge",
            labels,
            f"1 when {of} can no longer meet the required presence today.",
            lambda row: int(row.unreachable),
        ),
    )


CLASS_METRICS = (
    _row(
        "obligations",
        "gauge",
        CLASS,
        "Contracts for which the maker is appointed.",
        lambda row: row.obligations,
    ),
    _row(
        "quoted_seconds_total",
        "counter",
        CLASS,
        "Obliged time with a valid quote, summed over contracts.",
        lambda row: row.quoted / NS,
    ),
    _row(
        "required_seconds_total",
        "counter",
        CLASS,
        "Denominator of presence: quoted + lapsed + unknown time, summed over contracts.",
        lambda row: row.required_time / NS,
    ),
    _row(
        "exempt_seconds_total",
        "counter",
        CLASS,
        "Obliged time that an exemption took out of the denominator, summed over contracts.",
        lambda row: row.exempt / NS,
    ),
    _row(
        "unknown_seconds_total",
        "counter",
        CLASS,
        "Obliged time of which it is not known whether a valid quote stood, summed over contracts.",
        lambda row: row.unknown / NS,
    ),
    _row(
        "remaining_seconds",
        "gauge",
        CLASS,
        "Time still to be obliged today by the calendar, summed over contracts.",
        lambda row: row.remaining / NS,
    ),
    _row(
        "lapsed_obligations",
        "gauge",
        CLASS,
        "Obligations in a lapse now.",
        lambda row: row.lapsed_slots,
    ),
    _row(
        "unknown_obligations",
        "gauge",
        CLASS,
        "Obligations whose state is unknown now.",
        lambda row: row.unknown_slots,
    ),
    _row(
        "required_contracts",
        "gauge",
        CLASS,
        "Contracts with required time so far: the denominator of coverage.",
        lambda row: row.contracts_required,
    ),
    _row(
        "passed_contracts",
        "gauge",
        CLASS,
        "Contracts whose presence meets the requirement so far.",
        lambda row: row.contracts_passed,
    ),
    _row(
        "undecided_contracts",
        "gauge",
        CLASS,
        "Contracts whose verdict hangs on unknown time.",
        lambda row: row.contracts_open,
    ),
    *_levels("class", CLASS, "the maker in the class"),
)

MAKER_METRICS = _levels("maker", MAKER, "the maker")

LAPSED_BY_REASON = Metric(
    "mm_monitor_lapsed_seconds_total",
    "counter",
    (*CLASS, "reason"),
    "Obliged time without a valid quote by primary reason, summed over contracts.",
)
CLASS_VERDICT = Metric(
    "mm_monitor_class_verdict",
    "gauge",
    (*CLASS, "verdict"),
    "1 for the verdict on the maker in the class so far, 0 for the others.",
)
MAKER_VERDICT = Metric(
    "mm_monitor_maker_verdict",
    "gauge",
    (*MAKER, "verdict"),
    "1 for the verdict on the maker so far, by the aggregation that the rulebook names; 0 for the"
    " others.",
)
BREACHES = Metric(
    "mm_monitor_breaches_total",
    "counter",
    (*MAKER, "kind"),
    "Breaches of the trading date, open and closed.",
)
OPEN_BREACHES = Metric(
    "mm_monitor_open_breaches",
    "gauge",
    (*MAKER, "kind"),
    "Breaches that are open now.",
)
RULEBOOK_INFO = Metric(
    "mm_monitor_rulebook_info",
    "gauge",
    ("rulebook", "version", "sha256", "judged_by"),
    "Always 1: the rulebooks in force; `judged_by` is the aggregation that decides a maker's "
    "verdict.",
)

VIEW_METRICS = (
    ViewMetric(
        Metric(
            "mm_monitor_required_ratio",
            "gauge",
            RULEBOOK,
            "Presence that the rulebook requires. No sample when it requires none.",
        ),
        lambda view: None if view.required is None else ratio_number(view.required),
    ),
    ViewMetric(
        Metric(
            "mm_monitor_status_timestamp_seconds",
            "gauge",
            RULEBOOK,
            "Event time as of which all series of the rulebook are true.",
        ),
        lambda view: view.at / NS,
    ),
    ViewMetric(
        Metric(
            "mm_monitor_period_start_timestamp_seconds",
            "gauge",
            RULEBOOK,
            "Event time at which the judged period began. No sample before it.",
        ),
        lambda view: _seconds(view.period_start),
    ),
    ViewMetric(
        Metric(
            "mm_monitor_period_end_timestamp_seconds",
            "gauge",
            RULEBOOK,
            "Event time at which the judged period ends or ended. No sample while it is not known.",
        ),
        lambda view: _seconds(view.period_end),
    ),
)


def _column(
    name: str,
    type: str,
    meaning: str,
    values: Callable[[ObligationColumns], np.ndarray[tuple[int], np.dtype[np.float64]]],
) -> ColumnMetric:
    return ColumnMetric(Metric("mm_monitor_contract_" + name, type, CONTRACT, meaning), values)


CONTRACT_METRICS = (
    _column(
        "quoted_seconds_total",
        "counter",
        "Obliged time with a valid quote.",
        lambda columns: columns.quoted / NS,
    ),
    _column(
        "required_seconds_total",
        "counter",
        "Quoted + lapsed + unknown time.",
        lambda columns: (columns.quoted + columns.lapsed + columns.unknown) / NS,
    ),
    _column(
        "unknown_seconds_total",
        "counter",
        "Obliged time of which it is not known whether a valid quote stood.",
        lambda columns: columns.unknown / NS,
    ),
    _column(
        "slack_seconds",
        "gauge",
        "Time that may still be lost; meaningful only when the rulebook has a requirement.",
        lambda columns: columns.slack / NS,
    ),
    _column(
        "current_lapse_seconds",
        "gauge",
        "Obliged time of the lapse now open, 0 without one.",
        lambda columns: columns.current_lapse / NS,
    ),
    _column(
        "lapses_total",
        "counter",
        "Lapses of the trading date.",
        lambda columns: columns.lapses.astype(np.float64),
    ),
    _column(
        "lapsed",
        "gauge",
        "1 while the obligation is in a lapse.",
        lambda columns: (columns.state >= State.LAPSED).astype(np.float64),
    ),
)
MARKET_HOLE = Metric(
    "mm_monitor_market_hole_seconds_total",
    "counter",
    ("rulebook", "contract"),
    "Continuous trading of the contract with no maker valid at all; exported for the same "
    "contracts.",
)
EXPORTED = Metric(
    "mm_monitor_contract_obligations_exported",
    "gauge",
    RULEBOOK,
    "Obligations that have per-contract series.",
)
DROPPED = Metric(
    "mm_monitor_contract_obligations_dropped",
    "gauge",
    RULEBOOK,
    "Obligations that were asked for by pattern and have no per-contract series because of the "
    "cap.",
)

ALL = (
    *(entry.metric for entry in VIEW_METRICS),
    RULEBOOK_INFO,
    *(entry.metric for entry in MAKER_METRICS),
    MAKER_VERDICT,
    BREACHES,
    OPEN_BREACHES,
    *(entry.metric for entry in CLASS_METRICS),
    LAPSED_BY_REASON,
    CLASS_VERDICT,
    *(entry.metric for entry in CONTRACT_METRICS),
    MARKET_HOLE,
    EXPORTED,
    DROPPED,
)
