"""The verdict over a maker's contracts, against a reading of each aggregation contract by contract (PRES-05)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_monitor.core.model import Verdict
from mm_monitor.core.reference import Contract
from mm_monitor.core.rules.judging import Judging, pair_of
from mm_monitor.reports.report import maker_row
from mm_monitor.reports.sums import Row

WAYS = ("ratio_of_sums", "coverage", "mean_of_ratios", "contracts", "products", "days")


@dataclass(frozen=True)
class Sums:
    """One contract: what was quoted of ten, what is not known of it, and its place in a pair."""

    klass: str
    kind: str
    strike: str
    quoted: int
    unknown: int

    def contract(self, name: str) -> Contract:
        return Contract(name, self.klass, 1, self.kind, self.strike, "1970-01-31")

    def row(self, name: str) -> Row:
        lapsed = np.array([10 - self.quoted - self.unknown] + [0] * 8)
        return Row(self.quoted, 0, self.unknown, lapsed, contract=name, klass=self.klass)


sums = st.tuples(st.integers(0, 10), st.integers(0, 3)).flatmap(
    lambda pair: st.builds(
        Sums,
        st.sampled_from("KL"),
        st.sampled_from(["call", "put", "call", "put", "etf"]),
        st.sampled_from("56"),
        st.just(pair[0]),
        st.just(min(pair[1], 10 - pair[0])),
    )
)
judgings = st.builds(
    Judging,
    st.sampled_from([Fraction(1, 2), Fraction(9, 10)]),
    st.sampled_from([Fraction(1), Fraction(1, 2)]),
    st.sampled_from(WAYS),
    st.integers(0, 2),
    st.integers(1, 3),
    st.integers(1, 2),
)


def passes(judging: Judging, held: list[Sums], quoted: list[int]) -> bool:
    """With nothing unknown: `quoted` of each of these contracts."""
    wanted = judging.required
    assert wanted is not None
    good = [ns >= wanted * 10 for ns in quoted]
    classes = sorted({one.klass for one in held})
    of = {k: [i for i, one in enumerate(held) if one.klass == k] for k in classes}
    if judging.judged_by == "coverage":
        bad = [one for one, ok in zip(held, good, strict=True) if not ok]
        in_pairs = all(one.kind in ("call", "put") for one in bad)
        pairs = {(one.klass, one.strike) for one in bad}
        enough = sum(good) >= judging.coverage_required * len(held)
        return enough or (in_pairs and len(pairs) <= judging.all_but_pairs)
    if judging.judged_by == "mean_of_ratios":
        return sum(Fraction(ns, 10) for ns in quoted) / len(held) >= wanted
    if judging.judged_by == "contracts":
        return all(sum(good[i] for i in of[k]) >= judging.contracts_required for k in classes)
    if judging.judged_by == "products":
        fine = [sum(quoted[i] for i in of[k]) >= wanted * 10 * len(of[k]) for k in classes]
        return sum(fine) >= judging.products_required
    return sum(quoted) >= wanted * 10 * len(held)


@pytest.mark.criterion("PRES-05")
@given(judgings, st.lists(sums, min_size=1, max_size=6))
def test_the_verdict_is_that_of_the_worst_and_the_best_that_may_have_been(
    judging: Judging, held: list[Sums]
) -> None:
    names = [str(i) for i in range(len(held))]
    contracts = [one.contract(name) for one, name in zip(held, names, strict=True)]
    pairs = {c.name: pair for c in contracts if (pair := pair_of(c)) is not None}
    whole = replace(judging, pairs=pairs)
    rows = [one.row(name) for one, name in zip(held, names, strict=True)]
    worst = passes(judging, held, [one.quoted for one in held])
    best = passes(judging, held, [one.quoted + one.unknown for one in held])
    wanted = Verdict.COMPLIANT if worst else Verdict.INDETERMINATE if best else Verdict.BREACHED
    assert maker_row("M", rows, whole)["verdict"] == wanted
