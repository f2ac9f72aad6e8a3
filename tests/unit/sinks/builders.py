"""Views and breaches for the tests of everything that is handed them, without an engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from mm_monitor.core.conduct import ConductView
from mm_monitor.core.model import (
    REASONS,
    Breach,
    BreachEvent,
    BreachKind,
    Reason,
    State,
    Verdict,
    breach_id,
)
from mm_monitor.core.rules.delays import Delays
from mm_monitor.core.rules.hedging import HedgingRow
from mm_monitor.core.rules.programme import ProgrammeRow
from mm_monitor.core.rules.stability import Outage, RejectRow, SessionRow
from mm_monitor.core.view import ObligationColumns, PresenceRow, StatusView
from mm_monitor.kernels.layout import LATENCIES

S = 1_000_000_000
START = 1_754_011_800 * S  # 2025-08-01T01:30:00Z, the opening in Shenzhen
REQUIRED = Fraction(9, 10)


CONDUCT = ConductView(
    hedging=(
        HedgingRow(
            "M0", "510050", 5, 10, 6 * S, 4 * S, 0, 250_000_000, 2, 3 * S, (), 4, 1, 0, 1,
            Delays(2, 3_000_000, 2_000_001, [0] * 9 + [1, 1] + [0] * 15),
        ),
    ),
    sessions=(SessionRow("M0", "A1", "on", 9 * S, S, 0, 0, (Outage(1, 2, True),), S, S),),
    rejects=(RejectRow("M0", 7, {"late": 2}),),
    programme=(
        ProgrammeRow("M0", "A1", 7, 5, 4, 400_000_000, 100_000_000, Fraction(1, 4), ("per_day",)),
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Slot:
    """One obligation; seconds."""

    maker: str
    contract: str
    klass: str
    quoted: int = 95
    lapsed: int = 5
    exempt: int = 0
    unknown: int = 0
    remaining: int = 100
    state: int = State.QUOTED

    @property
    def required(self) -> int:
        return self.quoted + self.lapsed + self.unknown


def view(
    slots: Sequence[Slot],
    breaches: Sequence[Breach] = (),
    *,
    at: int = START + 100 * S,
    rulebook: str = "szse-2025",
    required: Fraction | None = REQUIRED,
    estimate: bool = False,
    market_hole: Sequence[tuple[str, int]] = (),
) -> StatusView:
    """A view of `slots`, with rows summed as the engine would."""
    slots = sorted(slots, key=lambda slot: (slot.maker, slot.contract))
    makers = sorted({slot.maker for slot in slots})
    contracts = sorted({slot.contract for slot in slots})
    classes = sorted({slot.klass for slot in slots})
    pairs = sorted({(slot.maker, slot.klass) for slot in slots})
    return StatusView(
        rulebook_id=rulebook,
        rulebook_version=1,
        rulebook_sha256="ab" * 32,
        required=required,
        judged_by="ratio_of_sums",
        at=at,
        estimate=estimate,
        trading_date="2025-08-01",
        period_start=START,
        period_end=None,
        makers=makers,
        contracts=contracts,
        classes=classes,
        obligations=_columns(slots, makers, contracts, classes),
        maker_rows=[
            _row(maker, "", [s for s in slots if s.maker == maker], required) for maker in makers
        ],
        class_rows=[
            _row(m, k, [s for s in slots if (s.maker, s.klass) == (m, k)], required)
            for m, k in pairs
        ],
        market_hole=market_hole,
        latency=np.zeros((len(pairs), 3, LATENCIES), np.int64),
        rfq=(),
        profile=(),
        breaches=breaches,
    )


def breach(
    maker: str = "M0",
    contract: str = "C0",
    klass: str = "510050",
    *,
    kind: BreachKind = BreachKind.LAPSE,
    start: int = START + 50 * S,
    end: int | None = None,
    rulebook: str = "szse-2025",
) -> Breach:
    return Breach(
        id=breach_id(rulebook, 1, kind.value, maker, contract, start),
        rulebook=rulebook,
        version=1,
        kind=kind.value,
        maker=maker,
        contract=contract,
        klass=klass,
        start=start,
        end=end,
        reason="absent",
        evidence={"quote": {"bid_price": None, "offset": 7}, "limit": 1_000_000},
    )


def opened(what: Breach) -> BreachEvent:
    return BreachEvent("opened", replace(what, end=None), what.start + S)


def closed(what: Breach, end: int = START + 60 * S) -> BreachEvent:
    return BreachEvent("closed", replace(what, end=end), end + S)


def market(makers: int, contracts: int, classes: int = 4) -> list[Slot]:
    """`makers` x `contracts` obligations, contracts dealt over `classes`."""
    return [
        Slot(f"M{m:02d}", f"C{c:04d}", f"K{c % classes}", quoted=90 + m, lapsed=10)
        for m in range(makers)
        for c in range(contracts)
    ]


def _ns(values: Sequence[int]) -> NDArray[np.int64]:
    column = np.array(values, dtype=np.int64) * S
    column.flags.writeable = False
    return column


def _columns(
    slots: Sequence[Slot], makers: list[str], contracts: list[str], classes: list[str]
) -> ObligationColumns:
    maker_at, contract_at, class_at = (
        {name: i for i, name in enumerate(names)} for names in (makers, contracts, classes)
    )
    n = len(slots)
    lapsed = _ns([slot.lapsed for slot in slots])
    by_reason = np.zeros((n, len(REASONS)), dtype=np.int64)
    by_reason[:, Reason.ABSENT] = lapsed
    lapsing = np.array([slot.state >= State.LAPSED for slot in slots], dtype=bool)
    zero = np.zeros(n, dtype=np.int64)
    return ObligationColumns(
        maker=np.array([maker_at[slot.maker] for slot in slots], dtype=np.int32),
        contract=np.array([contract_at[slot.contract] for slot in slots], dtype=np.int32),
        klass=np.array([class_at[slot.klass] for slot in slots], dtype=np.int32),
        quoted=_ns([slot.quoted for slot in slots]),
        lapsed=lapsed,
        lapsed_by_reason=by_reason,
        exempt=_ns([slot.exempt for slot in slots]),
        unknown=_ns([slot.unknown for slot in slots]),
        remaining=_ns([slot.remaining for slot in slots]),
        slack=_ns([_slack([slot], REQUIRED) // S for slot in slots]),
        lapses=(lapsed > 0).astype(np.int64),
        longest_lapse=lapsed,
        current_lapse=np.where(lapsing, lapsed, 0),
        last_valid=zero + START,
        limit_use=(0,) * n,
        switches=zero,
        state=np.array([slot.state for slot in slots], dtype=np.uint8),
        obliged=np.ones(n, dtype=np.bool_),
        provisional=np.zeros(n, dtype=np.bool_),
    )


def _slack(slots: Sequence[Slot], required: Fraction) -> int:
    total = sum(slot.required for slot in slots) * S
    rest = sum(slot.remaining for slot in slots) * S
    quoted = sum(slot.quoted for slot in slots) * S
    return int((quoted + rest - required * (total + rest)).__floor__())


def _row(maker: str, klass: str, slots: Sequence[Slot], required: Fraction | None) -> PresenceRow:
    quoted = sum(slot.quoted for slot in slots)
    total = sum(slot.required for slot in slots)
    judged = [Fraction(slot.quoted, slot.required) for slot in slots if slot.required]
    passed = sum(ratio >= (required or 0) for ratio in judged)
    presence = Fraction(quoted, total) if total else None
    return PresenceRow(
        maker=maker,
        klass=klass,
        obligations=len(slots),
        quoted=quoted * S,
        lapsed=sum(slot.lapsed for slot in slots) * S,
        exempt=sum(slot.exempt for slot in slots) * S,
        unknown=sum(slot.unknown for slot in slots) * S,
        required_time=total * S,
        remaining=sum(slot.remaining for slot in slots) * S,
        presence=presence,
        mean_of_ratios=sum(judged, Fraction(0)) / len(judged) if judged else None,
        contracts_required=len(judged),
        contracts_passed=passed,
        contracts_open=0,
        coverage=Fraction(passed, len(judged)) if judged else None,
        verdict=_verdict(presence, required),
        slack=None if required is None else _slack(slots, required),
        lapsed_slots=sum(slot.state >= State.LAPSED for slot in slots),
        unknown_slots=sum(slot.state == State.UNKNOWN for slot in slots),
        dominant_reason="absent" if any(slot.lapsed for slot in slots) else "",
        unreachable=False,
    )


def _verdict(presence: Fraction | None, required: Fraction | None) -> Verdict:
    if presence is None or required is None:
        return Verdict.NOT_ASSESSED
    return Verdict.COMPLIANT if presence >= required else Verdict.BREACHED
