"""What is on or off around the quotes: phases, exemptions, feed, stress; and whom each key affects.

Keys are (scope, maker, kind); starts do not nest; a slot is affected while any matching key is on. Counts per slot are
rebuilt when the layout changes, so a contract listed during a halt is born into it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from mm_monitor.core.book import Book
from mm_monitor.core.params import fraction
from mm_monitor.core.reference import ALL, Reference
from mm_monitor.core.rulebook import Meaning, Rulebook
from mm_monitor.kernels import layout

Mask = NDArray[np.bool_]
DOWN = -1  # a feed key that is down; once up it holds the instant of `up` until `synced`


@dataclass(slots=True)
class Conditions:
    """The keys that are on. Plain data: it is all that a snapshot has to keep of them."""

    phases: dict[str, str] = field(default_factory=dict)  # scope -> phase last said
    exemptions: set[tuple[str, str, str]] = field(default_factory=set)  # scope, maker, kind
    feed: dict[tuple[str, str], int] = field(
        default_factory=dict
    )  # scope, maker -> DOWN or instant of `up`
    stress: set[str] = field(default_factory=set)
    underlying: dict[str, int] = field(
        default_factory=dict
    )  # class -> spread of its underlying, 10^-8, where it is known

    def say_spread(self, klass: str, spread: int | None) -> None:
        """The underlying of a class has this spread, or none that is known."""
        if spread is None:
            self.underlying.pop(klass, None)
        else:
            self.underlying[klass] = spread


class Effects:
    """What the keys mean for each of n slots and m contracts of one layout."""

    def __init__(
        self, rulebook: Rulebook, reference: Reference, book: Book, reliefs: tuple[Fraction, ...]
    ) -> None:
        n, m = len(book.slot_con), len(book.slots)
        self.rulebook, self.reference, self.book = rulebook, reference, book
        self.reliefs = reliefs
        self.exclude = np.zeros(n, dtype=np.int32)
        self.deem = np.zeros(n, dtype=np.int32)
        self.one_side = np.zeros(n, dtype=np.int32)
        self.relax = np.zeros((len(reliefs), n), dtype=np.int32)
        self.down = np.zeros(n, dtype=np.int32)
        self.exclude_all = np.zeros(m, dtype=np.int32)
        self.stress = np.zeros(m, dtype=np.int32)
        self.owed: dict[
            tuple[str, str], Mask
        ] = {}  # feed key that is up -> slots it has not seen restated

    @classmethod
    def of(
        cls, conditions: Conditions, rulebook: Rulebook, reference: Reference, book: Book,
        reliefs: tuple[Fraction, ...],
    ) -> Effects:  # fmt: skip
        """Count the effects of all keys that are on."""
        effects = cls(rulebook, reference, book, reliefs)
        for scope, maker, kind in conditions.exemptions:
            effects.exempt(scope, maker, rulebook.exemptions[kind], 1)
        for (scope, maker), since in conditions.feed.items():
            if since == DOWN:
                effects.down[effects.slots(scope, maker)] += 1
            else:
                effects.owed[scope, maker] = effects.slots(scope, maker)
        for scope in conditions.stress:
            effects.stress[effects.contracts(scope)] += 1
        return effects

    def contracts(self, scope: str) -> Mask:
        """Contracts that a scope names, as a mask of (m,); delisted ones too, they are no longer obliged."""
        mask = np.zeros(len(self.book.slots), dtype=np.bool_)
        if scope == ALL:
            mask[:] = True
        else:  # an underlying may be listed under the name of its own class: then the scope is both
            mask |= self.book.cls == self.reference.class_index.get(scope, -1)
            if scope in self.reference.contract_index:
                mask[self.reference.contract_index[scope]] = True
        return mask

    def slots(self, scope: str, maker: str) -> Mask:
        """Slots of a maker (`*` = all) in a scope, as a mask of (n,)."""
        mask = self.contracts(scope)[self.book.slot_con]
        if maker != ALL:
            mask &= self.book.slot_maker == self.reference.find_maker(maker)
        return mask

    def exempt(self, scope: str, maker: str, meaning: Meaning, step: int) -> Mask | None:
        """Count an exemption up or down. Returns the slots to look at again, or None when only clocks change."""
        if meaning.effect == "exclude" and maker == ALL:
            self.exclude_all[self.contracts(scope)] += step
            return None
        mask = self.slots(scope, maker)
        if meaning.effect == "exclude":
            self.exclude[mask] += step
        elif meaning.effect == "deem":
            self.deem[mask] += step
        elif meaning.effect == "one_side":
            self.one_side[mask] += step
        elif meaning.relax is not None:
            self.relax[self.reliefs.index(fraction(meaning.relax), 1), mask] += step
        return mask

    def spreads(self, underlying: dict[str, int]) -> NDArray[np.int64]:
        """Spread of the underlying of each contract, LONG_AGO where it is missing: (m,)."""
        by_class = np.full(max(1, len(self.reference.classes)), layout.LONG_AGO, dtype=np.int64)
        for name, spread in underlying.items():
            by_class[self.reference.class_index[name]] = spread
        return by_class[self.book.cls]

    def ex_bits(self, which: NDArray[np.int32]) -> NDArray[np.uint8]:
        """EXCLUDE | DEEM | ONE_SIDE of slots `which`."""
        bits = (self.exclude[which] > 0) * layout.EXCLUDE
        bits += (self.deem[which] > 0) * layout.DEEM + (self.one_side[which] > 0) * layout.ONE_SIDE
        return bits.astype(np.uint8)

    def relief(self, which: NDArray[np.int32]) -> NDArray[np.uint8]:
        """Index of the largest relax that is on, for slots `which`; reliefs ascend after the first."""
        relief = np.zeros(len(which), dtype=np.uint8)
        for k in range(1, len(self.reliefs)):
            relief[self.relax[k, which] > 0] = k
        return relief

    def running(self, phases: dict[str, str]) -> Mask:
        """OBL-01: every scope that has spoken of the contract last said `continuous`, and at least one has."""
        m = len(self.book.slots)
        spoken, silent = np.zeros(m, dtype=np.bool_), np.ones(m, dtype=np.bool_)
        for scope, phase in phases.items():
            mask = self.contracts(scope)
            spoken |= mask
            if phase != "continuous":
                silent &= ~mask
        live = np.array(self.reference.live, dtype=np.bool_)
        return spoken & silent & live
