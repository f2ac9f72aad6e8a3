"""The quote tests VAL-01 to VAL-08 in plain Python: the specification as code, one function a test.

A test that reads theo asks `Judging.theo_at_least` or `theo_at_most`, and the answer narrows the interval of theo in
which the whole verdict stands (VAL-11); or there is no theo, and the test hangs (VAL-12).
"""

from __future__ import annotations

from mm_monitor.core.model import Reason
from mm_monitor.kernels.layout import (
    ABSOLUTE,
    ASK,
    BID,
    LONG_AGO,
    MID,
    NEVER,
    ONE_SIDE,
    STALE,
    THEO,
    TICKS,
)
from mm_monitor.kernels.reference_state import Con, Param, Slot, Term

USE_SCALE = 10**9
MAX_RATE = 2**32 - 1


class Judging:
    """One look at one standing quote: which tests fail, whether one hangs, and for which theos that holds."""

    def __init__(self, s: Slot, c: Con, p: Param, terms: list[Term]) -> None:
        self.s, self.c, self.p, self.terms = s, c, p, terms
        self.failed: set[Reason] = set()
        self.hangs = False
        self.theo_lo, self.theo_hi = LONG_AGO, NEVER

    def theo_at_least(self, bound: int) -> bool:
        """Is theo >= bound? The verdict stands as long as the answer does."""
        answer = self.c.theo >= bound
        if answer:
            self.theo_lo = max(self.theo_lo, bound)
        else:
            self.theo_hi = min(self.theo_hi, bound - 1)
        return answer

    def theo_at_most(self, bound: int) -> bool:
        """Is theo <= bound? The verdict stands as long as the answer does."""
        answer = self.c.theo <= bound
        if answer:
            self.theo_hi = min(self.theo_hi, bound)
        else:
            self.theo_lo = max(self.theo_lo, bound + 1)
        return answer

    @property
    def two_sided(self) -> bool:
        """Both sides are there."""
        return self.s.has_bid and self.s.has_ask

    def run(self) -> Judging:
        """All tests, in their order."""
        if not absent(self):
            one_sided(self)
            crossed(self)
            size(self)
            unequal(self)
            spread(self)
            off_theo(self)
            stale(self)
            if not self.c.theo_ok:  # a theo that appears is always looked at afresh
                self.theo_lo, self.theo_hi = 1, 0
        return self


def absent(j: Judging) -> bool:
    """VAL-01: at least one side is present. Nothing else can be said of a quote that is not there."""
    if j.s.has_bid or j.s.has_ask:
        return False
    j.failed.add(Reason.ABSENT)
    return True


def one_sided(j: Judging) -> None:
    """VAL-02: both sides are present; waived by an exemption, or for the bid while theo < zero_bid."""
    if j.two_sided or j.s.ex & ONE_SIDE:
        return
    if j.s.has_bid or j.p.zero_bid < 0:
        j.failed.add(Reason.ONE_SIDED)
    elif not j.c.theo_ok:
        j.hangs = True
    elif not j.theo_at_most(j.p.zero_bid - 1):
        j.failed.add(Reason.ONE_SIDED)


def crossed(j: Judging) -> None:
    """VAL-03: bid < ask; a locked quote fails too."""
    if j.two_sided and j.s.bid >= j.s.ask:
        j.failed.add(Reason.CROSSED)


def size(j: Judging) -> None:
    """VAL-04: each side that is there has at least the minimum size."""
    sides = [n for n in (j.s.bid_size, j.s.ask_size) if n]
    if any(n < j.p.min_size for n in sides):
        j.failed.add(Reason.SIZE)


def unequal(j: Judging) -> None:
    """VAL-05: |difference| <= ratio * (smaller | larger | mean), of two sides."""
    if j.p.size_num < 0 or not j.two_sided:
        return
    small, large = sorted((j.s.bid_size, j.s.ask_size))
    difference = large - small
    if j.p.size_of == 2:  # the mean is half the sum: both sides of the comparison are doubled
        difference, base = 2 * difference, small + large
    else:
        base = small if j.p.size_of == 0 else large
    if difference * j.p.size_den > base * j.p.size_num:
        j.failed.add(Reason.UNEQUAL)


def spread(j: Judging) -> None:
    """VAL-06, VAL-10: ask - bid <= limit, the largest (or with `combine_min` the least) of the terms.

    Within the largest means within any term, within the least means within all of them. VAL-12: without a theo the
    terms on theo are open, and the test hangs if the others do not decide it.
    """
    if not j.two_sided or not j.terms:
        return
    width = j.s.ask - j.s.bid
    known = [width * t.den <= t.num * term_base(t, j.s, j.c) for t in j.terms if t.base != THEO]
    needs = [theo_needed(t, width) for t in j.terms if t.base == THEO]
    if j.p.combine_min:
        if not all(known):
            j.failed.add(Reason.SPREAD)
            return
        need = max(needs, default=0)
    else:
        if any(known):
            return
        need = min(needs, default=0)
        if not needs:
            j.failed.add(Reason.SPREAD)
            return
    if not needs or width <= 0:  # a crossed quote has no width; it fails VAL-03
        return
    if not j.c.theo_ok:
        j.hangs = True
    elif not j.theo_at_least(need):
        j.failed.add(Reason.SPREAD)


def term_base(t: Term, s: Slot, c: Con) -> int:
    """What a term multiplies; of mid it is bid + ask, the ratio has been halved."""
    return {
        THEO: c.theo, BID: s.bid, ASK: s.ask, MID: s.bid + s.ask, TICKS: c.tick, ABSOLUTE: t.value,
    }[t.base]  # fmt: skip


def theo_needed(t: Term, width: int) -> int:
    """The least theo at which `width` is within the term: ceil(width * den / num)."""
    if width <= 0:
        return 0
    if t.num <= 0:
        return NEVER
    return min(NEVER, -(-width * t.den // t.num))


def off_theo(j: Judging) -> None:
    """VAL-07: bid <= theo + band and ask >= theo - band, where the rulebook sets a band."""
    if j.p.band_abs < 0 and j.p.band_num < 0:
        return
    if not j.c.theo_ok:
        j.hangs = True
        return
    bid_fits = not j.s.has_bid or j.theo_at_least(lowest_theo(j.s.bid, j.p))
    ask_fits = not j.s.has_ask or j.theo_at_most(highest_theo(j.s.ask, j.p))
    if not (bid_fits and ask_fits):
        j.failed.add(Reason.OFF_THEO)


def lowest_theo(bid: int, p: Param) -> int:
    """The least theo for which bid <= theo + band."""
    if p.band_abs >= 0:
        return max(LONG_AGO, bid - p.band_abs)
    return min(NEVER, -(-bid * p.band_den // (p.band_num + p.band_den)))


def highest_theo(ask: int, p: Param) -> int:
    """The greatest theo for which ask >= theo - band."""
    if p.band_abs >= 0:
        return min(NEVER, ask + p.band_abs)
    if p.band_num >= p.band_den:  # theo - band is never above zero
        return NEVER
    return min(NEVER, ask * p.band_den // (p.band_den - p.band_num))


def stale(j: Judging) -> None:
    """VAL-08: age < max age; the clock's side of it sets the bit at the instant of expiry."""
    if j.s.ex & STALE:
        j.failed.add(Reason.STALE)


def limit_use(s: Slot, c: Con, p: Param, terms: list[Term]) -> int:
    """PRES-08: floor(10^9 * spread / limit) of a two-sided quote, 0 where there is no limit to compare with."""
    if not s.has_bid or not s.has_ask:
        return 0
    known = [t for t in terms if t.base != THEO or c.theo_ok]
    limits = [(t.num * term_base(t, s, c), t.den) for t in known]
    width = USE_SCALE * (s.ask - s.bid)
    uses = [width * den // num for num, den in limits if num > 0]
    if not uses:
        return 0
    return min(MAX_RATE, max(uses) if p.combine_min else min(uses))
