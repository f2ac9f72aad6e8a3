"""The quote tests VAL-01 to VAL-09 in plain Python: the specification as code, one function a test.

A test that reads theo asks `Judging.theo_at_least` or `theo_at_most`, and the answer narrows the interval of theo in
which the whole verdict stands (VAL-11); or there is no theo, and the test hangs (VAL-12).
"""

from __future__ import annotations

from mm_monitor.core.model import Reason
from mm_monitor.kernels.layout import (
    ABSOLUTE,
    ASK,
    BID,
    FRESH,
    LONG_AGO,
    MID,
    NEVER,
    ONE_SIDE,
    STALE,
    TABLE_BID,
    TABLE_THEO,
    THEO,
    TICKS,
    UNDERLYING,
)
from mm_monitor.kernels.reference_state import Cell, Con, Param, Slot, Term

USE_SCALE = 10**9
MAX_RATE = 2**32 - 1


class Judging:
    """One look at one standing quote: which tests fail, whether one hangs, and for which theos that holds."""

    def __init__(self, s: Slot, c: Con, p: Param, terms: list[Term], cells: list[Cell]) -> None:
        self.s, self.c, self.p, self.terms, self.cells = s, c, p, terms, cells
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
            flicker(self)
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
    if any(n < j.c.min_size for n in sides):
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
    terms on theo are open, without its underlying's spread that term is; the test hangs if the others do not decide it.
    """
    if not j.two_sided or not j.terms:
        return
    width, decisive = j.s.ask - j.s.bid, not j.p.combine_min
    lasting = [t for t in j.terms if t.base not in (THEO, TABLE_THEO) and not missing(t, j.c)]
    known = [within(t, width, j.s, j.c, j.cells) for t in lasting]
    if decisive in known:  # one term within the largest, or one beyond the least, decides
        answer: bool | None = decisive
    elif width <= 0 and len(lasting) < len(j.terms):
        return  # a crossed quote has no width; it fails VAL-03
    else:
        answer = by_theo(j, width, decisive)
        if answer is not decisive and any(missing(t, j.c) for t in j.terms):
            answer = None
    if answer is None:
        j.hangs = True
    elif not answer:
        j.failed.add(Reason.SPREAD)


def missing(t: Term, c: Con) -> bool:
    """The term needs what is not known now."""
    if t.base in (THEO, TABLE_THEO):
        return not c.theo_ok
    return t.base == UNDERLYING and c.under == LONG_AGO


def by_theo(j: Judging, width: int, decisive: bool) -> bool:
    """Does the spread pass as far as the terms on theo say? The shares of theo together, then table by table.

    As soon as one decides, only that one bounds the interval of theo.
    """
    if not j.c.theo_ok:
        return not decisive
    needs = [theo_needed(t, width) for t in j.terms if t.base == THEO]
    if needs and j.theo_at_least((min if decisive else max)(needs)) == decisive:
        return decisive
    for t in j.terms:
        if t.base == TABLE_THEO and in_band(j, t, width) == decisive:
            return decisive
    return not decisive


def in_band(j: Judging, t: Term, width: int) -> bool:
    """Is the spread within the table's limit at this theo? The answer is of this band of theo."""
    at = first = t.value + j.c.bucket * t.num
    while j.c.theo >= j.cells[at].until < NEVER:
        at += 1
    cell = j.cells[at]
    if at > first:
        j.theo_at_least(j.cells[at - 1].until)
    if cell.until < NEVER:
        j.theo_at_most(cell.until - 1)
    if cell.base == THEO:
        return j.theo_at_least(theo_needed(cell, width))
    return width * cell.den <= cell.num * cell.value


def within(t: Term, width: int, s: Slot, c: Con, cells: list[Cell]) -> bool:
    """width <= num * base / den, of a term that does not read theo."""
    num, den, base = factors(t, s, c, cells)
    return width * den <= num * base


def factors(t: Term, s: Slot, c: Con, cells: list[Cell]) -> tuple[int, int, int]:
    """num, den and base of a term, or of the cell of its table that holds now."""
    if t.base not in (TABLE_BID, TABLE_THEO):
        return t.num, t.den, term_base(t, s, c)
    price, at = s.bid if t.base == TABLE_BID else c.theo, t.value + c.bucket * t.num
    while price >= cells[at].until < NEVER:
        at += 1
    return cells[at].num, cells[at].den, term_base(cells[at], s, c)


def term_base(t: Term | Cell, s: Slot, c: Con) -> int:
    """What a term multiplies; of mid it is bid + ask, the ratio has been halved."""
    return {
        THEO: c.theo, BID: s.bid, ASK: s.ask, MID: s.bid + s.ask, TICKS: c.tick, ABSOLUTE: t.value,
        UNDERLYING: c.under,
    }[t.base]  # fmt: skip


def theo_needed(t: Term | Cell, width: int) -> int:
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


def flicker(j: Judging) -> None:
    """VAL-09: the prices have stood long enough; the clock's side of it clears the bit."""
    if j.s.ex & FRESH:
        j.failed.add(Reason.FLICKER)


def limit_use(s: Slot, c: Con, p: Param, terms: list[Term], cells: list[Cell]) -> int:
    """PRES-08: floor(10^9 * spread / limit) of a two-sided quote, 0 where there is no limit to compare with."""
    if not s.has_bid or not s.has_ask:
        return 0
    known = [factors(t, s, c, cells) for t in terms if not missing(t, c)]
    width = USE_SCALE * (s.ask - s.bid)
    uses = [width * den // (num * base) for num, den, base in known if num > 0 and base > 0]
    if not uses:
        return 0
    return min(MAX_RATE, max(uses) if p.combine_min else min(uses))
