"""What judges a maker (PRES-05): the verdict over its contracts, by the aggregation that the rulebook names.

Sums are taken elsewhere, live from arrays and in reports from rows; what they mean is said only here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol

from mm_monitor.core.model import Verdict
from mm_monitor.core.reference import Contract
from mm_monitor.core.rulebook import Ratio, Rulebook

Pair = tuple[str, str, str]  # class, expiry, strike: the calls and the puts there

STRETCHES = "stretches"  # what a maker is judged by: each of continuous trading by itself
WORST_FIRST = (Verdict.BREACHED, Verdict.INDETERMINATE, Verdict.COMPLIANT)


@dataclass(frozen=True, slots=True)
class Judging:
    """The numbers of a rulebook by which a maker is judged."""

    required: Fraction | None
    required_time: int = 0  # ns of each contract on each trading date, beside `required`
    coverage_required: Fraction = Fraction(1)
    judged_by: str = "ratio_of_sums"
    all_but_pairs: int = 0
    contracts_required: int = 0
    products_required: int = 0
    pairs: Mapping[str, Pair] = field(default_factory=dict)  # of contracts, by name
    stress_required: Fraction | None = None
    stress_weight: Fraction = Fraction(1)

    @classmethod
    def of(cls, rulebook: Rulebook, contracts: Iterable[Contract] = ()) -> Judging:
        """Those of a rulebook; sums by name also want the contracts."""
        pairs = {contract.name: pair_of(contract) for contract in contracts}
        weight = _fraction(rulebook.stress_weight)
        return cls(
            required=_fraction(rulebook.required),
            required_time=rulebook.required_time,
            coverage_required=_fraction(rulebook.coverage_required) or Fraction(1),
            judged_by=rulebook.judged_by,
            all_but_pairs=rulebook.coverage_all_but_pairs,
            contracts_required=rulebook.contracts_required or 0,
            products_required=rulebook.products_required or 0,
            pairs={name: pair for name, pair in pairs.items() if pair is not None},
            stress_required=_fraction(rulebook.stress_required),
            stress_weight=Fraction(1) if weight is None else weight,
        )


class Timed(Protocol):
    """Times of an obligation, in ns."""

    quoted: int
    unknown: int

    @property
    def required(self) -> int:
        """T."""
        ...


@dataclass(frozen=True, slots=True)
class Part:
    """A maker's obligations with T > 0 in one class, or in one stretch of continuous trading.

    Sums in ns, and how many contracts pass or are undecided (of a stretch that is not asked).
    """

    quoted: int
    unknown: int
    required: int
    contracts: int
    passed: int
    hanging: int

    @classmethod
    def of(cls, rows: Sequence[Timed], verdicts: Sequence[Verdict]) -> Part:
        """Over obligations and the verdict of each."""
        return cls(
            quoted=sum(row.quoted for row in rows),
            unknown=sum(row.unknown for row in rows),
            required=sum(row.required for row in rows),
            contracts=len(rows),
            passed=verdicts.count(Verdict.COMPLIANT),
            hanging=verdicts.count(Verdict.INDETERMINATE),
        )

    def verdict(self, required: Fraction | None) -> Verdict:
        """PRES-03 of the sums."""
        if not self.required or required is None:
            return Verdict.NOT_ASSESSED
        return judge_count(self.quoted, self.quoted + self.unknown, required * self.required)


@dataclass(frozen=True, slots=True)
class Means:
    """Mean presence of a maker's contracts, and what it would be with unknown time quoted; None without any."""

    have: Fraction | None
    could: Fraction | None


@dataclass(frozen=True, slots=True)
class Failing:
    """In how many call/put pairs the contracts lie that fail (`sure`), or may fail; None = some lie in none."""

    sure: int | None
    possible: int | None


def pair_of(contract: Contract) -> Pair | None:
    """The call/put pair of a contract, None for what is neither."""
    if contract.kind not in ("call", "put"):
        return None
    return contract.klass, contract.expiry, contract.strike


def judge_count(have: Fraction | int, could: Fraction | int, wanted: Fraction | int) -> Verdict:
    """Of a number of which `have` is certain and `could` is possible."""
    if have >= wanted:
        return Verdict.COMPLIANT
    return Verdict.BREACHED if could < wanted else Verdict.INDETERMINATE


def maker_verdict(
    judging: Judging, parts: Sequence[Part], means: Means, failing: Failing
) -> Verdict:
    """Verdict over a maker's classes, or over the stretches of continuous trading where these judge."""
    held = [part for part in parts if part.contracts]
    if not held or judging.required is None:
        return Verdict.NOT_ASSESSED
    if judging.judged_by == "coverage":
        return _coverage(judging, held, failing)
    if judging.judged_by == "mean_of_ratios":
        assert means.have is not None
        assert means.could is not None
        return judge_count(means.have, means.could, judging.required)
    if judging.judged_by == "contracts":
        least = judging.contracts_required
        each = (judge_count(part.passed, part.passed + part.hanging, least) for part in held)
        return min(each, key=WORST_FIRST.index)
    if judging.judged_by == "products":
        verdicts = [part.verdict(judging.required) for part in held]
        passed = verdicts.count(Verdict.COMPLIANT)
        could = passed + verdicts.count(Verdict.INDETERMINATE)
        return judge_count(passed, could, judging.products_required)
    if judging.judged_by == STRETCHES:
        return min((part.verdict(judging.required) for part in held), key=WORST_FIRST.index)
    quoted, unknown = sum(part.quoted for part in held), sum(part.unknown for part in held)
    whole = sum(part.required for part in held)
    return judge_count(quoted, quoted + unknown, judging.required * whole)


def _coverage(judging: Judging, held: Sequence[Part], failing: Failing) -> Verdict:
    """By the share of contracts, or by the pairs in which the others lie; whichever is better."""
    passed, hanging = sum(part.passed for part in held), sum(part.hanging for part in held)
    wanted = judging.coverage_required * sum(part.contracts for part in held)
    by_share = judge_count(passed, passed + hanging, wanted)
    return max(by_share, by_pairs(judging.all_but_pairs, failing), key=WORST_FIRST.index)


def by_pairs(spared: int, failing: Failing) -> Verdict:
    """Do all contracts pass but those of so many pairs?"""
    if failing.possible is not None and failing.possible <= spared:
        return Verdict.COMPLIANT
    few = failing.sure is not None and failing.sure <= spared
    return Verdict.INDETERMINATE if few else Verdict.BREACHED


def _fraction(ratio: Ratio | None) -> Fraction | None:
    return Fraction(ratio.num, ratio.den) if ratio is not None else None
