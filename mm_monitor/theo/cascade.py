"""The cascade of theo sources: feed, a contract's vol, its expiry's vol, a fit to the book; the first that is fresh.

Fed with records in tape order; `look(t)` gives the theos of instant `t`: of each option that the feed leaves without
one and whose inputs have changed since the last look. The same records and looks give the same theos. Beside them it
counts, for whoever watches, where theos come from; nothing is decided by that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import log, sqrt
from typing import Any, TypeVar

import numpy as np

from mm_monitor.core.model import PRICE_SCALE
from mm_monitor.theo.book import MidBook
from mm_monitor.theo.models import Market, Options, delta_units, implied_vols, prices, to_units
from mm_monitor.theo.smile import Point, Smile, fit
from mm_monitor.theo.terms import YEAR, Terms

FEED, UNKNOWN = "feed", "unknown"
SOURCES = (FEED, "vol", "surface", "fit")
Expiry = tuple[str, str]  # class, expiry
K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Settings:
    """How theos are computed; ages in ns, half-open as everywhere."""

    market: Market
    sources: tuple[str, ...] = SOURCES
    max_age: int = 60_000_000_000  # of the feed and of the underlying's price
    vol_max_age: int = 86_400_000_000_000
    left_out: int = -1  # maker whose quotes the fit does not see
    disagreement: float | None = None  # share by which a feed differs from ours to be counted


@dataclass(frozen=True, slots=True)
class Theo:
    """A theo and where it came from. `theo` and `delta` in 10^-8, None: there is none any more."""

    ts: int
    contract: int
    theo: int | None
    delta: int | None = None
    source: str = ""
    version: str = ""
    quality: str = ""  # own | expiry | inside | outside: how near the vol is to the contract
    age: int = 0  # ns, of the oldest input


@dataclass(frozen=True, slots=True)
class _Seen:
    """A number and since when."""

    ts: int
    value: float

    def fresh(self, t: int, max_age: int) -> bool:
        return t - self.ts < max_age


@dataclass(slots=True)
class Figures:
    """What became of the theos so far, by source; `unknown` is the end of the cascade."""

    computed: Counter[str] = field(default_factory=Counter)  # theos
    fallbacks: Counter[str] = field(
        default_factory=Counter
    )  # contracts that came down to this source
    disagreements: Counter[str] = field(
        default_factory=Counter
    )  # of a feed with what it would have given

    def counters(self) -> tuple[Counter[str], Counter[str], Counter[str]]:
        """All three."""
        return self.computed, self.fallbacks, self.disagreements


@dataclass(frozen=True, slots=True)
class _Input:
    """All that one price needs."""

    contract: int
    vol: float
    source: str
    quality: str
    since: int


class Cascade:
    """State of all options of one capture, or of one service."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._terms: dict[int, Terms] = {}
        self._of_class: dict[str, list[int]] = {}
        self._of_expiry: dict[Expiry, list[int]] = {}
        self._feed: dict[
            int, tuple[int, int]
        ] = {}  # contract -> ts and value of the theo that stands
        self._spot: dict[str, _Seen] = {}
        self._own: dict[int, _Seen] = {}
        self._surface: dict[Expiry, _Seen] = {}
        self._book = MidBook(settings.left_out)
        self._quoted: dict[Expiry, int] = {}  # ts of the last quote that moved a mid
        self._stale: set[int] = set()  # contracts whose inputs have changed since the last look
        self._stands: dict[
            int, tuple[str, int]
        ] = {}  # contract -> source of its theo, and of when it is
        self.figures = Figures()

    # -- records --------------------------------------------------------------------------------

    def list(self, contract: int, terms: Terms | None) -> None:
        """A contract as its row has it from now on; None for what is no option, or no longer listed."""
        old = self._terms.pop(contract, None)
        if old is not None:
            self._of_class[old.klass].remove(contract)
            self._of_expiry[old.klass, old.expiry].remove(contract)
        if terms is not None:
            self._terms[contract] = terms
            self._of_class.setdefault(terms.klass, []).append(contract)
            self._of_expiry.setdefault((terms.klass, terms.expiry), []).append(contract)
            self._stale.add(contract)

    def feed(self, ts: int, contract: int, theo: int | None) -> None:
        """The venue's own theo (10^-8), or None: its withdrawal."""
        if theo is not None:
            self._feed[contract] = ts, theo
            self._stands[contract] = FEED, ts
        else:
            self._feed.pop(contract, None)
            self._stale.add(contract)

    def underlying(self, ts: int, klass: str, price: int | None) -> None:
        """Price of a class's underlying (10^-8); None: it is not known. No model prices on one of zero or less."""
        if price is None or price <= 0:
            self._spot.pop(klass, None)
        else:
            self._spot[klass] = _Seen(ts, price / PRICE_SCALE)
        self._stale.update(self._of_class.get(klass, ()))

    def own_vol(self, ts: int, contract: int, vol: float | None) -> None:
        """Vol of one contract; None: it is not known."""
        _put(self._own, contract, ts, vol)
        self._stale.add(contract)

    def surface_vol(self, ts: int, klass: str, expiry: str, vol: float | None) -> None:
        """Vol of an expiry; None: it is not known."""
        _put(self._surface, (klass, expiry), ts, vol)
        self._stale.update(self._of_expiry.get((klass, expiry), ()))

    def quote(
        self, ts: int, contract: int, maker: int, bid: int, bid_size: int, ask: int, ask_size: int
    ) -> None:
        """A maker's quote, for the fit; prices in 10^-8."""
        terms = self._terms.get(contract)
        if terms is not None and self._book.quote(contract, maker, bid, bid_size, ask, ask_size):
            expiry = (terms.klass, terms.expiry)
            self._quoted[expiry] = ts
            self._stale.update(self._of_expiry[expiry])

    @property
    def idle(self) -> bool:
        """Would a look at any later instant find nothing, if no record came before it?"""
        return not self._stale and not self._feed

    def state(self) -> dict[str, Any]:
        """All but the terms of what is listed, for a checkpoint; contracts by index."""
        return {
            "feed": [(contract, *seen) for contract, seen in self._feed.items()],
            "spot": [(klass, seen.ts, seen.value) for klass, seen in self._spot.items()],
            "own": [(contract, seen.ts, seen.value) for contract, seen in self._own.items()],
            "surface": [(*expiry, seen.ts, seen.value) for expiry, seen in self._surface.items()],
            "book": self._book.state(),
            "quoted": [(*expiry, ts) for expiry, ts in self._quoted.items()],
            "stale": sorted(self._stale),
            "stands": [(contract, *stand) for contract, stand in self._stands.items()],
            "figures": [sorted(figure.items()) for figure in self.figures.counters()],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Inverse of `state`, once the same contracts are listed."""
        self._feed = {contract: (ts, value) for contract, ts, value in state["feed"]}
        self._spot = {klass: _Seen(ts, value) for klass, ts, value in state["spot"]}
        self._own = {contract: _Seen(ts, value) for contract, ts, value in state["own"]}
        self._surface = {(k, expiry): _Seen(ts, vol) for k, expiry, ts, vol in state["surface"]}
        self._book.restore(state["book"])
        self._quoted = {(klass, expiry): ts for klass, expiry, ts in state["quoted"]}
        self._stale = set(state["stale"])
        self._stands = {contract: (source, since) for contract, source, since in state["stands"]}
        for figure, counts in zip(self.figures.counters(), state["figures"], strict=True):
            figure.update(dict(counts))

    # -- theos ----------------------------------------------------------------------------------

    def look(self, t: int) -> Sequence[Theo]:
        """Theos as of `t`, in the order of contracts; those withdrawn that were ours and have lost their inputs."""
        self._miss_feed(t)
        smiles: dict[Expiry, Smile | None] = {}
        stale = sorted(self._stale & self._terms.keys())
        self._stale.clear()
        wanted = [c for c in stale if not self._is_fed(c, t)]
        if self.settings.disagreement is not None:
            self._compare([c for c in stale if self._is_fed(c, t)], t, smiles)
        found = self._price(self._inputs(wanted, t, smiles), t)
        lost = [c for c in wanted if self._stands.get(c, (FEED,))[0] != FEED and c not in found]
        self._note(wanted, found)
        out = [*found.values(), *(Theo(t, c, None) for c in lost)]
        return sorted(out, key=lambda theo: theo.contract)

    def settle(self, t: int, theos: Sequence[Theo]) -> None:
        """A look at `t` that has been made before, and gave these theos."""
        self._miss_feed(t)
        self._stale.clear()
        for theo in theos:
            self._stands.pop(theo.contract, None)
            if theo.theo is not None:
                self._stands[theo.contract] = theo.source, t - theo.age

    def again(self, theos: Sequence[Theo]) -> None:
        """What the last look gave has not reached the tape: the next one tries again."""
        self._stale.update(theo.contract for theo in theos)

    def standing(self) -> dict[str, tuple[int, int]]:
        """For each source, the options whose theo it gives now, and of when the oldest of its inputs is."""
        found: dict[str, tuple[int, int]] = {}
        for contract in self._terms.keys() & self._stands.keys():
            source, since = self._stands[contract]
            count, oldest = found.get(source, (0, since))
            found[source] = count + 1, min(oldest, since)
        return found

    @property
    def listed(self) -> int:
        """Options that are listed."""
        return len(self._terms)

    def _note(self, wanted: Sequence[int], found: Mapping[int, Theo]) -> None:
        """Where theos stand now, and who came down."""
        for contract in wanted:
            before, theo = self._stands.pop(contract, None), found.get(contract)
            after = theo.source if theo is not None else UNKNOWN
            if theo is not None:
                self._stands[contract] = after, theo.ts - theo.age
                self.figures.computed[after] += 1
            if before is not None and self._rank(after) > self._rank(before[0]):
                self.figures.fallbacks[after] += 1

    def _rank(self, source: str) -> int:
        order = (FEED, *self.settings.sources)
        return order.index(source) if source in order else len(order)

    def _compare(self, fed: Sequence[int], t: int, smiles: dict[Expiry, Smile | None]) -> None:
        """Count the feed's theos that are far from what the next source gives."""
        share = self.settings.disagreement or 0.0
        for contract, theo in self._price(self._inputs(fed, t, smiles), t).items():
            ours, theirs = theo.theo or 0, self._feed[contract][1]
            if abs(ours - theirs) > share * max(ours, theirs):
                self.figures.disagreements[theo.source] += 1

    def _miss_feed(self, t: int) -> None:
        """A feed that has grown too old leaves its contracts to the next source."""
        for contract in [c for c in self._feed if not self._is_fed(c, t)]:
            del self._feed[contract]
            self._stale.add(contract)

    def _is_fed(self, contract: int, t: int) -> bool:
        since = self._feed.get(contract)
        return (
            since is not None
            and FEED in self.settings.sources
            and t - since[0] < self.settings.max_age
        )

    def _inputs(
        self, wanted: Sequence[int], t: int, smiles: dict[Expiry, Smile | None]
    ) -> Sequence[_Input]:
        return [found for c in wanted if (found := self._input(c, t, smiles)) is not None]

    def _input(self, contract: int, t: int, smiles: dict[Expiry, Smile | None]) -> _Input | None:
        """What the first source that has something fresh gives."""
        terms = self._terms[contract]
        spot = self._spot.get(terms.klass)
        if spot is None or not spot.fresh(t, self.settings.max_age) or t >= terms.expires:
            return None
        expiry = (terms.klass, terms.expiry)
        for source in self.settings.sources:
            seen = self._own.get(contract) if source == "vol" else self._surface.get(expiry)
            if source == "fit":
                fitted = self._fitted(contract, spot, t, smiles)
                if fitted is not None:
                    return fitted
            elif source != FEED and seen is not None and seen.fresh(t, self.settings.vol_max_age):
                quality = "own" if source == "vol" else "expiry"
                return _Input(contract, seen.value, source, quality, min(spot.ts, seen.ts))
        return None

    def _fitted(
        self, contract: int, spot: _Seen, t: int, smiles: dict[Expiry, Smile | None]
    ) -> _Input | None:
        terms = self._terms[contract]
        expiry = (terms.klass, terms.expiry)
        if expiry not in smiles:
            smiles[expiry] = self._fit(expiry, spot.value, t)
        smile = smiles[expiry]
        if smile is None:
            return None
        place = self._moneyness(terms, spot.value, t)
        quality = "inside" if smile.covers(place) else "outside"
        since = min(spot.ts, self._quoted[expiry])
        return _Input(contract, smile.vol(place), "fit", quality, since)

    def _fit(self, expiry: Expiry, spot: float, t: int) -> Smile | None:
        """The smile of one expiry by the medians of the mids that stand now."""
        mids = list(self._book.mids(sorted(self._of_expiry[expiry])))
        if not mids:
            return None
        contracts = [contract for contract, _ in mids]
        options = self._options(contracts, dict.fromkeys(contracts, spot), t)
        vols = implied_vols(self.settings.market, options, np.array([mid for _, mid in mids]))
        places = [self._moneyness(self._terms[c], spot, t) for c in contracts]
        return fit([Point(m, v) for m, v in zip(places, vols.tolist(), strict=True)])

    def _moneyness(self, terms: Terms, spot: float, t: int) -> float:
        years = (terms.expires - t) / YEAR
        return (log(terms.strike / spot) - self.settings.market.carry * years) / sqrt(years)

    def _options(self, contracts: Sequence[int], spots: Mapping[int, float], t: int) -> Options:
        terms = [self._terms[c] for c in contracts]
        return Options(
            np.array([one.sign for one in terms], np.int8),
            np.array([spots[c] for c in contracts], np.float64),
            np.array([one.strike for one in terms], np.float64),
            np.array([(one.expires - t) / YEAR for one in terms], np.float64),
        )

    def _price(self, inputs: Sequence[_Input], t: int) -> dict[int, Theo]:
        """Theos by contract; one that the model cannot price, or not in range, is none."""
        if not inputs:
            return {}
        contracts = [one.contract for one in inputs]
        spots = {c: self._spot[self._terms[c].klass].value for c in contracts}
        vols = np.array([one.vol for one in inputs], np.float64)
        price, delta = prices(self.settings.market, self._options(contracts, spots, t), vols)
        label = self.settings.market.model.label
        found: dict[int, Theo] = {}
        for one, value, slope in zip(inputs, price.tolist(), delta.tolist(), strict=True):
            units = to_units(value)
            if units is not None:
                found[one.contract] = Theo(t, one.contract, units, delta_units(slope), one.source,
                                           label, one.quality, t - one.since)  # fmt: skip
        return found


def _put(seen: dict[K, _Seen], key: K, ts: int, value: float | None) -> None:
    if value is None:
        seen.pop(key, None)
    else:
        seen[key] = _Seen(ts, value)


def known_sources(names: Iterable[str]) -> tuple[str, ...]:
    """Names of sources in the order in which they are asked: as given, and the feed before all others.

    ValueError names one that there is not.
    """
    names = list(dict.fromkeys(names))
    for name in names:
        if name not in SOURCES:
            raise ValueError(f"one or more of {', '.join(SOURCES)}, got {name!r}")
    return tuple(sorted(names, key=lambda name: name != FEED))
