"""What the rest of the house may see of an engine: an immutable picture as of one instant.

Columns are read-only numpy arrays, one element per obligation, sorted by maker, then contract.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from mm_monitor.core.conduct import ConductView
from mm_monitor.core.model import Breach, Verdict

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class WindowColumns:
    """PRES-06 of one width, n elements each: total = passed + failed + open + empty + cut."""

    width: int  # ns of a slot's own obliged time
    total: Ints
    passed: Ints
    failed: Ints
    open: Ints  # undecided for unknown time
    empty: Ints  # all of it exempt
    cut: Ints  # 1 for a window that has begun and is not full
    longest_failed_run: Ints


@dataclass(frozen=True, slots=True)
class StretchColumns:
    """One stretch of continuous trading, n elements each; times in ns. `end` is None while it lasts."""

    start: int
    end: int | None
    quoted: Ints
    lapsed: Ints
    exempt: Ints
    unknown: Ints


@dataclass(frozen=True, slots=True)
class StressColumns:
    """PRES-09: time inside stress, n elements each; in ns."""

    quoted: Ints
    lapsed: Ints
    unknown: Ints


@dataclass(frozen=True, slots=True)
class ObligationColumns:
    """Per obligation, n elements each unless said otherwise; times in ns."""

    maker: NDArray[np.int32]  # index into StatusView.makers
    contract: NDArray[np.int32]  # index into StatusView.contracts
    klass: NDArray[np.int32]  # index into StatusView.classes
    quoted: Ints
    lapsed: Ints  # sum over reasons
    lapsed_by_reason: Ints  # shape (n, 9), in the order of model.REASONS
    exempt: Ints
    unknown: Ints
    remaining: Ints  # R of PRES-04: still to be obliged today
    slack: Ints  # rounded down; only meaningful when the rulebook has a requirement
    lapses: Ints
    longest_lapse: Ints
    current_lapse: Ints  # obliged ns of the lapse now open, 0 if none
    last_valid: Ints  # event time at which the quote was last valid, -1 = never
    limit_use: Sequence[int]  # PRES-08, exact sums of floor(1e9 * spread / limit) * ns
    switches: Ints  # times it went between quoted and lapsed
    state: NDArray[np.uint8]  # model.State now: QUOTED | UNKNOWN | EXEMPT | LAPSED + reason
    obliged: NDArray[np.bool_]  # is the contract in continuous trading now?
    provisional: NDArray[np.bool_]  # a late record touched it (TAPE-03)
    windows: Sequence[WindowColumns] = ()  # by width, as far as the rulebook asks for them
    stretches: Sequence[StretchColumns] = ()  # in order, where the rulebook asks for `am_pm`
    stress: StressColumns | None = None  # where the rulebook has a weight or a requirement for it


@dataclass(frozen=True, slots=True)
class PresenceRow:
    """Sums over the obligations of a maker (klass = "") or of a maker in one class."""

    maker: str
    klass: str
    obligations: int
    quoted: int
    lapsed: int
    exempt: int
    unknown: int
    required_time: int  # T = quoted + lapsed + unknown
    remaining: int  # R
    presence: Fraction | None  # ratio of sums, None if T = 0
    mean_of_ratios: Fraction | None
    contracts_required: int  # with T > 0
    contracts_passed: int
    contracts_open: int  # indeterminate
    coverage: Fraction | None
    verdict: Verdict  # by the rulebook's judged_by
    slack: int | None  # by ratio of sums, rounded down; None without a requirement
    lapsed_slots: int  # obligations lapsed right now
    unknown_slots: int
    dominant_reason: str  # reason code with most lapsed time, "" if none
    unreachable: bool


@dataclass(frozen=True, slots=True)
class RfqRow:
    """RESP-02: a maker's requests for quotes. `latency`: counts by bucket, then the sum of ns (layout.LATENCIES)."""

    maker: str
    asked: int
    answered: int
    undecided: int
    waiting: int  # may still be decided
    latency: Sequence[int]


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """RESP-03: sums over a maker's obligations in the first `first` ns after each start of `kind`."""

    maker: str
    kind: str  # stress | resumption
    first: int
    starts: int
    quoted: int
    required_time: int
    unknown: int


@dataclass(frozen=True, slots=True)
class StatusView:
    """Everything as of `at`, under one rulebook. Published views are at the watermark (`estimate` False)."""

    rulebook_id: str
    rulebook_version: int
    rulebook_sha256: str
    required: Fraction | None  # presence required
    judged_by: str
    at: int
    estimate: bool
    trading_date: str
    period_start: int | None
    period_end: int | None
    makers: Sequence[str]
    contracts: Sequence[str]
    classes: Sequence[str]
    obligations: ObligationColumns
    maker_rows: Sequence[PresenceRow]  # sorted by maker; none where only some classes are judged
    class_rows: Sequence[PresenceRow]  # sorted by maker, class
    market_hole: Sequence[tuple[str, int]]  # contract, ns; sorted by contract
    latency: Ints  # RESP-01, (class rows, causes, LATENCIES): by cause theo, fill, withdrawal
    rfq: Sequence[RfqRow]
    profile: Sequence[ProfileRow]
    breaches: Sequence[
        Breach
    ]  # of this trading date, open and closed, sorted by start, kind, maker, contract
    conduct: ConductView = field(default_factory=ConductView)  # of `makers`
