"""Presence of obligations and makers: ratios, verdicts, slack (PRES-02 to PRES-05), in exact arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from mm_monitor import kernels
from mm_monitor.core.model import REASONS, State, Verdict
from mm_monitor.core.params import fraction
from mm_monitor.core.rulebook import Ratio, Rulebook
from mm_monitor.core.totals import Totals
from mm_monitor.core.view import Ints, PresenceRow

FEW = 16  # distinct denominators up to which the mean of ratios is summed while live
ENOUGH, SHORT, OPEN, NONE = 0, 1, 2, 3


def meets(have: Ints, whole: Ints, ratio: Ratio) -> NDArray[np.bool_]:
    """have >= ratio * whole, exactly, element by element."""
    out = np.empty(len(have), dtype=np.uint8)
    kernels.compare(
        np.ascontiguousarray(have), np.ascontiguousarray(whole), ratio.num, ratio.den, out
    )
    return out.astype(np.bool_)


def slot_standing(totals: Totals, required: Ratio | None) -> NDArray[np.uint8]:
    """PRES-03 by slot: ENOUGH, SHORT, OPEN (hangs on unknown time) or NONE (not assessed)."""
    whole = totals.required
    if required is None:
        return np.full(len(whole), NONE, dtype=np.uint8)
    enough = meets(totals.quoted, whole, required)
    possible = meets(totals.quoted + totals.unknown, whole, required)
    standing = np.where(enough, ENOUGH, np.where(possible, OPEN, SHORT)).astype(np.uint8)
    standing[whole == 0] = NONE
    return standing


VERDICTS = (Verdict.COMPLIANT, Verdict.BREACHED, Verdict.INDETERMINATE, Verdict.NOT_ASSESSED)


def slot_slack(totals: Totals, required: Ratio | None) -> Ints:
    """PRES-04 by slot, rounded down: quoted + R - r * (T + R). Zeros without a requirement."""
    out = np.zeros(len(totals.quoted), dtype=np.int64)
    if required is not None:
        have = np.ascontiguousarray(totals.quoted + totals.remaining)
        whole = np.ascontiguousarray(totals.required + totals.remaining)
        kernels.slacks(have, whole, required.num, required.den, out)
    return out


def judge(have: Fraction | None, could: Fraction | None, required: Fraction | None) -> Verdict:
    """Verdict of a ratio of which `have` is certain and `could` is possible."""
    if have is None or could is None or required is None:
        return Verdict.NOT_ASSESSED
    if have >= required:
        return Verdict.COMPLIANT
    return Verdict.BREACHED if could < required else Verdict.INDETERMINATE


def mean_of(part: Ints, whole: Ints, *, exact: bool) -> Fraction | None:
    """Mean of part / whole over elements with whole > 0.

    Summed by equal denominators. With more than FEW of them and not `exact` each ratio is cut to 2^-40 first.
    """
    chosen = whole > 0
    count = int(chosen.sum())
    if not count:
        return None
    denominators, which = np.unique(whole[chosen], return_inverse=True)
    if len(denominators) > FEW and not exact:
        cut = sum(
            (int(p) << 40) // int(w) for p, w in zip(part[chosen], whole[chosen], strict=True)
        )
        return Fraction(cut, count << 40)
    sums = np.zeros(len(denominators), dtype=np.int64)
    np.add.at(sums, which, part[chosen])
    return (
        sum(
            (Fraction(int(s), int(d)) for s, d in zip(sums, denominators, strict=True)), Fraction(0)
        )
        / count
    )


def presence_row(
    maker: str, klass: str, slots: NDArray[np.int64], totals: Totals, rulebook: Rulebook,
    standing: NDArray[np.uint8], *, exact: bool, unreachable: bool,
) -> PresenceRow:  # fmt: skip
    """Sums over some slots. `standing` is slot_standing of all."""
    quoted, unknown = int(totals.quoted[slots].sum()), int(totals.unknown[slots].sum())
    lapsed, remaining = int(totals.lapsed[slots].sum()), int(totals.remaining[slots].sum())
    whole = quoted + lapsed + unknown
    here = standing[slots]
    passed, hanging = int((here == ENOUGH).sum()), int((here == OPEN).sum())
    required_contracts = int((totals.required[slots] > 0).sum())
    presence = Fraction(quoted, whole) if whole else None
    coverage = (
        Fraction(passed, required_contracts) if required_contracts and rulebook.required else None
    )
    mean = mean_of(totals.quoted[slots], totals.required[slots], exact=exact)
    required = fraction(rulebook.required) if rulebook.required else None
    if rulebook.judged_by == "coverage":
        wanted = fraction(rulebook.coverage_required) if rulebook.coverage_required else Fraction(1)
        could = Fraction(passed + hanging, required_contracts) if required_contracts else None
        verdict = judge(coverage, could, wanted if required else None)
    elif rulebook.judged_by == "mean_of_ratios":
        could = mean_of(
            (totals.quoted + totals.unknown)[slots], totals.required[slots], exact=exact
        )
        verdict = judge(mean, could, required)
    else:
        verdict = judge(presence, Fraction(quoted + unknown, whole) if whole else None, required)
    return PresenceRow(
        maker=maker, klass=klass, obligations=len(slots), quoted=quoted, lapsed=lapsed,
        exempt=int(totals.exempt[slots].sum()), unknown=unknown, required_time=whole, remaining=remaining,
        presence=presence, mean_of_ratios=mean, contracts_required=required_contracts, contracts_passed=passed,
        contracts_open=hanging, coverage=coverage, verdict=verdict,
        slack=slack(quoted, whole, remaining, required),
        lapsed_slots=int(((totals.state[slots] >= State.LAPSED) & totals.running[slots]).sum()),
        unknown_slots=int(((totals.state[slots] == State.UNKNOWN) & totals.running[slots]).sum()),
        dominant_reason=dominant_reason(totals, slots), unreachable=unreachable,
    )  # fmt: skip


def slack(quoted: int, whole: int, remaining: int, required: Fraction | None) -> int | None:
    """PRES-04, rounded down; None without a requirement."""
    if required is None:
        return None
    exact = quoted + remaining - required * (whole + remaining)
    return exact.numerator // exact.denominator


def dominant_reason(totals: Totals, slots: NDArray[np.int64] | Sequence[int]) -> str:
    """The reason with most lapsed time over some slots, the earlier test on a tie; empty if none lapsed."""
    sums = totals.by_reason[slots].sum(axis=0)
    return REASONS[int(sums.argmax())] if sums.any() else ""
