"""Presence of obligations and makers: ratios, verdicts, slack (PRES-02 to PRES-05), in exact arithmetic."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mm_monitor import kernels
from mm_monitor.core.model import REASONS, State, Verdict
from mm_monitor.core.pieces import Pieces
from mm_monitor.core.rulebook import Ratio, Rulebook
from mm_monitor.core.rules.judging import Failing, Judging, Means, Part, maker_verdict
from mm_monitor.core.totals import Totals
from mm_monitor.core.view import Ints, PresenceRow

AT_ONCE = 16  # rows or groups that are a piece of work
FEW = 16  # distinct denominators up to which the mean of ratios is summed while live
ENOUGH, SHORT, OPEN, NONE = 0, 1, 2, 3
NEVER = 2**63 - 1


def meets(have: Ints, whole: Ints, ratio: Ratio) -> NDArray[np.bool_]:
    """have >= ratio * whole, exactly, element by element."""
    out = np.empty(len(have), dtype=np.uint8)
    kernels.compare(
        np.ascontiguousarray(have), np.ascontiguousarray(whole), ratio.num, ratio.den, out
    )
    return out.astype(np.bool_)


def slot_standing(totals: Totals, required: Ratio | None, least: int = 0) -> NDArray[np.uint8]:
    """PRES-03 by slot: ENOUGH, SHORT, OPEN (hangs on unknown time) or NONE (not assessed); `least` ns in any case."""
    whole = totals.required
    if required is None:
        return np.full(len(whole), NONE, dtype=np.uint8)
    could = totals.quoted + totals.unknown
    enough = meets(totals.quoted, whole, required) & (totals.quoted >= least)
    possible = meets(could, whole, required) & (could >= least)
    standing = np.where(enough, ENOUGH, np.where(possible, OPEN, SHORT)).astype(np.uint8)
    standing[whole == 0] = NONE
    return standing


VERDICTS = (Verdict.COMPLIANT, Verdict.BREACHED, Verdict.INDETERMINATE, Verdict.NOT_ASSESSED)


def slot_slack(totals: Totals, required: Ratio | None, least: int = 0) -> Ints:
    """PRES-04 by slot, rounded down: quoted + R - max(r * (T + R), least). Zeros without a requirement."""
    out = np.zeros(len(totals.quoted), dtype=np.int64)
    if required is not None:
        have = np.ascontiguousarray(totals.quoted + totals.remaining)
        whole = np.ascontiguousarray(totals.required + totals.remaining)
        kernels.slacks(have, whole, required.num, required.den, out)
        np.minimum(out, have - least, out=out, where=least > 0)
    return out


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


class Groups:
    """G groups of slots, each one's sums taken in one go. A group may be empty."""

    def __init__(self, groups: Sequence[NDArray[np.int64]]) -> None:
        self.slots = groups
        self.sizes = np.array([len(slots) for slots in groups], dtype=np.int64)
        self._order = np.concatenate([*groups, np.zeros(0, dtype=np.int64)])
        self._full = self.sizes > 0
        self._starts = (np.cumsum(self.sizes) - self.sizes)[self._full]

    def sums(self, column: NDArray[Any]) -> Ints:
        """Sums of a column (n, ...), one row for each group."""
        return self._reduce(np.add, column.astype(np.int64, copy=False), 0)

    def least(self, column: Ints) -> Ints:
        """Least of a column in each group, 0 in an empty one."""
        return self._reduce(np.minimum, column, 0)

    def greatest(self, column: Ints) -> Ints:
        """Greatest of a column in each group, 0 in an empty one."""
        return self._reduce(np.maximum, column, 0)

    def _reduce(self, how: np.ufunc, column: Ints, empty: int) -> Ints:
        out = np.full((len(self.sizes), *column.shape[1:]), empty, dtype=np.int64)
        if len(self._starts):
            out[self._full] = how.reduceat(column.take(self._order, axis=0), self._starts, axis=0)
        return out


def means(part: Ints, whole: Ints, groups: Groups, *, exact: bool) -> Pieces[list[Fraction | None]]:
    """`mean_of` for each group; of one with a single denominator it is a ratio of sums."""
    counts = groups.sums(whole > 0).tolist()
    least = groups.least(np.where(whole > 0, whole, NEVER)).tolist()
    greatest = groups.greatest(whole).tolist()
    sums = groups.sums(np.where(whole > 0, part, 0)).tolist()
    cuts = None if exact else _cut_sums(part, whole, groups)
    yield
    found: list[Fraction | None] = []
    for k, slots in enumerate(groups.slots):
        if not counts[k]:
            found.append(None)
        elif least[k] == greatest[k]:
            found.append(Fraction(sums[k], greatest[k] * counts[k]))
        elif cuts is not None and _many(whole[slots]):
            found.append(Fraction(cuts[k], counts[k] << 40))
        else:
            found.append(mean_of(part[slots], whole[slots], exact=exact))
        if k % AT_ONCE == AT_ONCE - 1:
            yield
    return found


def _cut_sums(part: Ints, whole: Ints, groups: Groups) -> list[int] | None:
    """Sums of the ratios, each cut to 2^-40 and times 2^40, by group; None if they are not from 0 to 1, or too long."""
    if int(whole.max(initial=0)) >> 47 or (part < 0).any() or (part > whole).any():
        return None
    by = np.maximum(whole, 1)
    cut, left = np.divmod(part, by)
    for bits in (16, 16, 8):  # by hand: what is left times 2^40 is more than 63 bits hold
        digit, left = np.divmod(left << bits, by)
        cut = (cut << bits) + digit
    return list(groups.sums(cut).tolist())


def _many(whole: Ints) -> bool:
    """Are there more than FEW distinct denominators?"""
    held = whole[whole > 0]
    return len(set(held[: 4 * FEW].tolist())) > FEW or len(set(held.tolist())) > FEW


@dataclass(frozen=True, slots=True)
class Sums:
    """What presence_rows reads of G groups, an element for each."""

    quoted: list[int]
    lapsed: list[int]
    exempt: list[int]
    unknown: list[int]
    remaining: list[int]
    contracts: list[int]  # with T > 0
    passed: list[int]
    hanging: list[int]
    lapsed_slots: list[int]
    unknown_slots: list[int]
    reason: list[str]  # dominant
    mean: list[Fraction | None]
    could_mean: list[Fraction | None]  # with unknown time quoted; only where means judge
    failing: list[Failing]  # only where pairs are spared

    @classmethod
    def of(
        cls, groups: Groups, totals: Totals, rulebook: Rulebook, *, exact: bool, pairs: Ints
    ) -> Pieces[Sums]:
        """Sums over the slots of each group; `pairs` has the number of each slot's call/put pair, -1 = none."""
        standing = slot_standing(totals, rulebook.required, rulebook.required_time)
        yield
        columns = {
            "quoted": totals.quoted, "lapsed": totals.lapsed, "exempt": totals.exempt,
            "unknown": totals.unknown, "remaining": totals.remaining,
            "contracts": totals.required > 0, "passed": standing == ENOUGH,
            "hanging": standing == OPEN,
            "lapsed_slots": (totals.state >= State.LAPSED) & totals.running,
            "unknown_slots": (totals.state == State.UNKNOWN) & totals.running,
        }  # fmt: skip
        sums: dict[str, list[int]] = {}
        for name, column in columns.items():
            sums[name] = groups.sums(column).tolist()
            yield
        reason = dominant_reasons(totals, groups)
        yield
        mean = could = yield from means(totals.quoted, totals.required, groups, exact=exact)
        if rulebook.judged_by == "mean_of_ratios":
            best = totals.quoted + totals.unknown
            could = yield from means(best, totals.required, groups, exact=exact)
        failing = _failing(groups, standing, pairs, rulebook)
        return cls(**sums, reason=reason, mean=mean, could_mean=could, failing=failing)

    def part(self, k: int) -> Part:
        """What judges a group, where it is a class or is judged as a whole."""
        quoted, unknown = self.quoted[k], self.unknown[k]
        whole = quoted + self.lapsed[k] + unknown
        return Part(quoted, unknown, whole, self.contracts[k], self.passed[k], self.hanging[k])


def _failing(
    groups: Groups, standing: NDArray[np.uint8], pairs: Ints, rulebook: Rulebook
) -> list[Failing]:
    if not rulebook.coverage_all_but_pairs:
        return [Failing(None, None)] * len(groups.slots)
    return [
        Failing(
            pair_count(pairs[slots[standing[slots] == SHORT]]),
            pair_count(pairs[slots[(standing[slots] == SHORT) | (standing[slots] == OPEN)]]),
        )
        for slots in groups.slots
    ]


def pair_count(pairs: Ints) -> int | None:
    """How many pairs are among these, None if some slot is in none."""
    return None if (pairs < 0).any() else len(np.unique(pairs))


def presence_rows(
    names: Sequence[tuple[str, str]], groups: Groups, totals: Totals, rulebook: Rulebook, *, exact: bool,
    pairs: Ints, parts: Mapping[str, Sequence[Part]] | None = None, unreachable: Collection[str] = (),
) -> Pieces[list[PresenceRow]]:  # fmt: skip
    """One row for each group, of that (maker, class); `unreachable` names makers.

    `parts` has by maker what judges it, its classes or stretches; without it a group is judged whole.
    """
    sums = yield from Sums.of(groups, totals, rulebook, exact=exact, pairs=pairs)
    judging = Judging.of(rulebook)
    rows: list[PresenceRow] = []
    for k, (maker, klass) in enumerate(names):
        verdict = maker_verdict(
            judging,
            [sums.part(k)] if parts is None else parts.get(maker, []),
            Means(sums.mean[k], sums.could_mean[k]),
            sums.failing[k],
        )
        lost = not klass and maker in unreachable
        rows.append(_row((maker, klass), k, int(groups.sizes[k]), sums, verdict, rulebook, lost))
        if k % AT_ONCE == AT_ONCE - 1:
            yield
    return rows


def class_parts(rows: Iterable[PresenceRow]) -> dict[str, list[Part]]:
    """What rows of classes say of each maker."""
    parts: dict[str, list[Part]] = {}
    for row in rows:
        part = Part(
            row.quoted, row.unknown, row.required_time, row.contracts_required,
            row.contracts_passed, row.contracts_open,
        )  # fmt: skip
        parts.setdefault(row.maker, []).append(part)
    return parts


def stretch_parts(
    makers: Sequence[str], groups: Groups, stretches: Iterable[Ints]
) -> dict[str, list[Part]]:
    """What (n, 4) sums of stretches, quoted, lapsed, exempt and unknown by slot, say of each maker."""
    parts: dict[str, list[Part]] = {maker: [] for maker in makers}
    for sums in stretches:
        required = sums[:, 0] + sums[:, 1] + sums[:, 3]
        columns = (sums[:, 0], sums[:, 3], required, required > 0)
        rows = zip(*(groups.sums(column).tolist() for column in columns), strict=True)
        for maker, (quoted, unknown, whole, contracts) in zip(makers, rows, strict=True):
            parts[maker].append(Part(quoted, unknown, whole, contracts, 0, 0))
    return parts


def _row(
    name: tuple[str, str], k: int, slots: int, sums: Sums, verdict: Verdict, rulebook: Rulebook,
    unreachable: bool,
) -> PresenceRow:  # fmt: skip
    quoted, unknown, remaining = sums.quoted[k], sums.unknown[k], sums.remaining[k]
    whole, contracts = quoted + sums.lapsed[k] + unknown, sums.contracts[k]
    presence = Fraction(quoted, whole) if whole else None
    judged = contracts > 0 and rulebook.required is not None
    coverage = Fraction(sums.passed[k], contracts) if judged else None
    return PresenceRow(
        maker=name[0], klass=name[1], obligations=slots, quoted=quoted, lapsed=sums.lapsed[k],
        exempt=sums.exempt[k], unknown=unknown, required_time=whole, remaining=remaining,
        presence=presence, mean_of_ratios=sums.mean[k], contracts_required=contracts,
        contracts_passed=sums.passed[k], contracts_open=sums.hanging[k], coverage=coverage,
        verdict=verdict, slack=slack(quoted, whole, remaining, rulebook.required, slots * rulebook.required_time),
        lapsed_slots=sums.lapsed_slots[k], unknown_slots=sums.unknown_slots[k],
        dominant_reason=sums.reason[k], unreachable=unreachable,
    )  # fmt: skip


def slack(
    quoted: int, whole: int, remaining: int, required: Ratio | None, least: int = 0
) -> int | None:
    """PRES-04, rounded down, where `least` ns are owed in any case; None without a requirement."""
    if required is None:
        return None
    have = quoted + remaining
    spare = (have * required.den - required.num * (whole + remaining)) // required.den
    return min(spare, have - least) if least else spare


def dominant_reasons(totals: Totals, groups: Groups) -> list[str]:
    """For each group the reason with most lapsed time, the earlier test on a tie; empty if none lapsed."""
    sums = groups.sums(totals.by_reason)
    most = zip(sums.argmax(axis=1).tolist(), sums.max(axis=1).tolist(), strict=True)
    return [REASONS[reason] if time else "" for reason, time in most]
