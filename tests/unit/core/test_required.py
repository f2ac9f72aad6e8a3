"""The required set against a reading of its rules one contract at a time, on small classes with round strikes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_monitor.core.batch import ROW, THEO_DELTA
from mm_monitor.core.model import PRICE_SCALE, Kind
from mm_monitor.core.reference import Contract, Reference
from mm_monitor.core.required import Membership
from mm_monitor.core.rulebook import Ratio, RequiredSet
from tests.laws import sets as letter

TODAY = date(2026, 3, 2)
DAY = 86_400_000_000_000
MIDNIGHT = (TODAY - date(1970, 1, 1)).days * DAY


def contract(
    name: str,
    strike: int | None = None,
    days: int | None = None,
    kind: str = "call",
    flags: str = "",
) -> Contract:
    expiry = "" if days is None else (TODAY + timedelta(days=days)).isoformat()
    return Contract(name, "K", 1, kind, "" if strike is None else str(strike), expiry, flags=flags)


def membership(rules: RequiredSet, *contracts: Contract) -> Membership:
    found = Membership(rules, Reference.of(contracts, []))
    found.begin(MIDNIGHT, TODAY.isoformat(), rolls=True)
    return found


def owed(found: Membership) -> str:
    """The names of what is owed."""
    names = [c.name for c in found.reference.contracts]
    return " ".join(name for name, wanted in zip(names, found.mask.tolist(), strict=True) if wanted)


def test_without_rules_everything_is_owed() -> None:
    assert owed(membership(RequiredSet(), contract("a"), contract("b", 5, 3))) == "a b"


def test_days_to_expiry_are_inclusive_and_what_never_expires_has_infinitely_many() -> None:
    rows = [contract("now", 1, 0), contract("one", 1, 1), contract("two", 1, 2), contract("etf")]
    assert owed(membership(RequiredSet(min_days=1), *rows)) == "one two etf"
    assert owed(membership(RequiredSet(max_days=1), *rows)) == "now one"


def test_the_nearest_months_are_of_what_is_listed_and_not_of_what_has_expired() -> None:
    rows = [contract("gone", 1, -40), contract("a", 1, 1), contract("b", 1, 20), contract("c", 1, 40),
            contract("d", 1, 90), contract("future")]  # fmt: skip
    found = membership(RequiredSet(months=2), *rows)
    assert owed(found) == "a b c"  # March, March, April
    found.reference.remove_contract("c")
    found.fit()
    assert owed(found) == "a b d"


def test_flags_of_the_file_and_of_today() -> None:
    found = membership(
        RequiredSet(exclude=("quarterly", "added_today")),
        contract("a", flags="weekly"), contract("b", flags="quarterly weekly"), contract("c"), contract("d"),
    )  # fmt: skip
    found.reference.listed.update({2: MIDNIGHT - 1, 3: MIDNIGHT})
    found.fit()
    assert owed(found) == "a c"
    found.begin(MIDNIGHT + DAY, "2026-03-03", rolls=True)
    assert owed(found) == "a c d"


def test_strikes_on_each_side_of_the_nearest_one_and_of_two_the_lower() -> None:
    rows = [contract(str(k), k, 9) for k in (90, 100, 110, 120)]
    found = membership(RequiredSet(strikes=1), *rows, contract("future"))
    assert owed(found) == "90 100 110 120 future"  # until spot is known
    assert found.spot("K", 105 * PRICE_SCALE)
    assert owed(found) == "90 100 110"
    assert not found.spot("K", 95 * PRICE_SCALE + 1)
    assert found.spot("K", 105 * PRICE_SCALE + 1)
    assert owed(found) == "100 110 120"
    assert found.spot("K", None)
    assert owed(found) == "90 100 110 120 future"


def test_within_a_share_of_spot_both_ends_included() -> None:
    rows = [contract(str(k), k, 9) for k in (90, 100, 110, 111)]
    found = membership(RequiredSet(within=Ratio(1, 10)), *rows)
    found.spot("K", 100 * PRICE_SCALE)
    assert owed(found) == "90 100 110"
    found.spot("K", 100 * PRICE_SCALE + 1)
    assert owed(found) == "100 110"


def theo_rows(*deltas: tuple[int, int | None]) -> np.ndarray:
    """Theo rows of (contract, delta)."""
    rows = np.zeros(len(deltas), ROW)
    rows["kind"], rows["contract"] = Kind.THEO, [c for c, _ in deltas]
    rows["b"] = [delta or 0 for _, delta in deltas]
    rows["flags"] = [0 if delta is None else THEO_DELTA for _, delta in deltas]
    return rows


def test_a_delta_flips_a_contract_only_where_it_leaves_or_enters_the_range() -> None:
    rules = RequiredSet(delta=(Ratio(1, 10), Ratio(9, 10)))
    found = membership(rules, contract("c"), contract("p"))
    tenth = PRICE_SCALE // 10
    rows = theo_rows(
        (0, tenth), (1, -tenth + 1), (0, tenth - 1), (1, -tenth + 1), (0, 0), (0, None)
    )
    assert found.flips(rows) == [(1, 1, True), (2, 0, True), (5, 0, False)]
    assert found.delta(1, True)
    assert owed(found) == "c"
    assert found.flips(theo_rows((1, 5 * tenth), (0, 9 * tenth))) == [(0, 1, False)]


@pytest.mark.parametrize("given_first", [True, False])
def test_a_snapshot_brings_back_the_set(given_first: bool) -> None:
    rules = RequiredSet(strikes=0, delta=(Ratio(1, 10), Ratio(9, 10)))
    found = membership(rules, contract("a", 90, 9), contract("b", 100, 9))
    found.spot("K", 99 * PRICE_SCALE)
    if given_first:
        found.delta(1, True)
    twin = Membership(rules, found.reference)
    twin.restore(found.state())
    assert (owed(twin), twin.state()) == (owed(found), found.state())


def test_nine_months_on_is_too_far_and_the_day_before_is_not() -> None:
    day = date(2025, 5, 31)  # nine months later is the last of February
    found = Membership(RequiredSet(below_months=9), Reference.of([
        Contract(name, "K", 1, "call", "1", expiry)
        for name, expiry in (("in", "2026-02-27"), ("out", "2026-02-28"), ("etf", ""))
    ], []))  # fmt: skip
    found.begin(MIDNIGHT, day.isoformat(), rolls=True)
    assert owed(found) == "in"


def test_the_nearest_strikes_are_counted_apart_for_calls_and_puts_in_and_out_of_the_money() -> None:
    rows = [
        contract(f"{kind[0]}{k}", k, 9, kind)
        for k in (90, 100, 110, 120)
        for kind in ("call", "put")
    ]
    found = membership(RequiredSet(nearest=(2, 1)), *rows)
    found.spot("K", 105 * PRICE_SCALE)
    assert owed(found) == "p90 c100 p100 c110 p110 c120"
    found.spot("K", 110 * PRICE_SCALE)  # at spot is out of the money
    assert owed(found) == "c100 p100 c110 p110 c120 p120"


# By the letter ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Plain:
    """A contract in plain numbers."""

    klass: str
    strike: int | None
    days: int | None
    kind: str
    live: bool

    def listed(self, name: str) -> Contract:
        made = contract(name, self.strike, self.days, self.kind)
        return Contract(made.name, self.klass, 1, made.kind, made.strike, made.expiry)

    def plainly(self) -> letter.Listed:
        return letter.Listed(
            self.klass,
            self.kind,
            None if self.strike is None else Fraction(self.strike),
            None if self.days is None else TODAY + timedelta(days=self.days),
            live=self.live,
        )


plains = st.builds(
    Plain, st.sampled_from(["K", "L"]), st.sampled_from([None, 90, 100, 105, 110, 120]),
    st.sampled_from([None, -1, 0, 10, 30, 31, 40, 80]), st.sampled_from(["call", "put"]),
    st.sampled_from([True, True, False]),
)  # fmt: skip
ratios = st.sampled_from([Ratio(0, 1), Ratio(1, 20), Ratio(1, 10), Ratio(1, 1), Ratio(3, 1)])
sets = st.builds(
    RequiredSet,
    kinds=st.sampled_from([(), ("call",)]),
    months=st.sampled_from([None, 1, 2]),
    min_days=st.sampled_from([None, 0, 10]),
    max_days=st.sampled_from([None, 40]),
    below_months=st.sampled_from([None, None, 1, 2]),
    strikes=st.sampled_from([None, None, 0, 1, 2]),
    nearest=st.sampled_from([None, None, (0, 1), (1, 0), (2, 1)]),
    within=st.none() | ratios,
)
spots = st.lists(
    st.tuples(
        st.sampled_from(["K", "L"]),
        st.none() | st.sampled_from([0, 1, 95, 100, 102, 103, 107, 115, 300]),
        st.sampled_from([0, 0, PRICE_SCALE // 2, 1, -1]),
    ),
    max_size=8,
)


def by_the_letter(rules: RequiredSet, rows: list[Plain], spot: dict[str, Fraction]) -> list[bool]:
    listed = [row.plainly() for row in rows]
    return [letter.owed(rules, it, listed, TODAY, spot.get(it.klass)) for it in listed]


@given(sets, st.lists(plains, min_size=1, max_size=7), spots)
def test_every_set_is_what_its_rules_say_of_each_contract(
    rules: RequiredSet, rows: list[Plain], told: list[tuple[str, int | None, int]]
) -> None:
    found = membership(rules, *(row.listed(str(i)) for i, row in enumerate(rows)))
    found.reference.live[:] = [row.live for row in rows]
    found.fit()
    spot: dict[str, Fraction] = {}
    for klass, whole, part in told:
        price = None if whole is None else whole * PRICE_SCALE + part
        before = found.mask.copy()
        changed = found.spot(klass, price)
        spot.pop(klass, None)
        if price is not None:
            spot[klass] = Fraction(price, PRICE_SCALE)
        assert found.mask.tolist() == by_the_letter(rules, rows, spot)
        assert changed == (not np.array_equal(before, found.mask))
