"""The quotes of one class in a session: how makers compose them, and what each of them is worth.

Arrays are flat over cells, cell = maker * contracts + contract, both counted within the class.
Whether a quote is valid is decided here by the founding rule alone, `spread * 100 <= max(3 * theo,
100 * tick)`, in exact integers and from what the scripts made the maker send.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mm_monitor.simulator.market import SPOT_TICK, TICK, Contract, Pricing, Underlying
from mm_monitor.simulator.rows import NULL, QUOTE, THEO, Ints, Rows
from mm_monitor.simulator.scenario import Behaviour, Scenario
from mm_monitor.simulator.scripts import VALID_STANCES, Part, Stance
from mm_monitor.simulator.timeline import reaction_ns

LAPSED, QUOTED, UNKNOWN = 0, 1, 2
DRIFT = 0.08  # an underlying stays within 8 % of its first price

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Edges:
    """From `ts` on, each of `slots` (maker * contracts + contract) is in the state beside it."""

    ts: int
    slots: Ints
    states: NDArray[np.uint8]


class ClassBook:
    """State of one class; every method returns the rows that go onto the tape."""

    def __init__(self, scenario: Scenario, klass: int) -> None:
        underlying = scenario.classes[klass]
        contracts = [c for c in scenario.contracts if c.klass == underlying.name]
        self.makers, self.n = len(scenario.makers), len(contracts)
        self._rng = np.random.default_rng([scenario.seed, 5, klass])
        self._set_market(scenario, underlying, contracts)
        self._set_makers(scenario, underlying)
        cells = self.makers * self.n
        self.stance = np.zeros(cells, dtype=np.int8)
        self.bid = np.zeros(cells, dtype=np.int64)
        self.ask = np.zeros(cells, dtype=np.int64)
        self.bid_size = np.zeros(cells, dtype=np.int32)
        self.ask_size = np.zeros(cells, dtype=np.int32)
        self.state = np.zeros(cells, dtype=np.uint8)
        self.down = np.zeros(cells, dtype=np.bool_)  # the feed is down
        self.dark = np.zeros(
            cells, dtype=np.bool_
        )  # no quote since the feed came back, or since a bad quote
        self.edges: list[Edges] = []

    def _set_market(
        self, scenario: Scenario, underlying: Underlying, contracts: list[Contract]
    ) -> None:
        self._pricing = Pricing(underlying, contracts, scenario.date)
        self._first_spot = self._spot = underlying.spot
        self._moved = False
        self.theo = self._pricing.theos(self._spot)
        self.missing = np.ones(self.n, dtype=np.bool_)  # nothing published yet
        self._gone = np.zeros(self.n, dtype=np.bool_)  # withdrawn
        self._number = np.array([c.number for c in contracts], dtype=np.int64)
        self._contracts = len(scenario.contracts)
        position, cheap = np.arange(self.n), np.argsort(np.argsort(self.theo, kind="stable"))
        self._parts = {
            Part.ALL: np.ones(self.n, dtype=np.bool_),
            Part.EVEN: position % 2 == 0,
            Part.ODD: position % 2 == 1,
            Part.CHEAP: cheap < (self.n + 1) // 2,
            Part.DEAR: cheap >= (self.n + 1) // 2,
        }

    def _set_makers(self, scenario: Scenario, underlying: Underlying) -> None:
        makers = scenario.makers
        late = [maker.behaviour is Behaviour.LATE for maker in makers]
        self._late = np.repeat(np.array(late), self.n)
        prompt = [reaction_ns(scenario, maker) == 0 for maker in makers]
        self._prompt = np.repeat(np.array(prompt), self.n)
        self._pulled = np.zeros(self.makers * self.n, dtype=np.bool_)
        # How much of the permitted spread a maker uses, in percent; the first uses all of it.
        widths = self._rng.integers(50, 101, self.makers)
        widths[0] = 100
        self._width = np.repeat(widths, self.n)
        self._share = scenario.requote_share

    def part(self, maker: int, part: int) -> Mask:
        """Cells of `part` of the contracts for one maker."""
        cells = np.zeros((self.makers, self.n), dtype=np.bool_)
        cells[maker] = self._parts[Part(part)]
        return cells.reshape(-1)

    # -- what happens ---------------------------------------------------------------------------

    def move(self, ts: int) -> tuple[Rows, Rows]:
        """The underlying ticks: new theos, and what the makers send at the same instant."""
        theos = self._publish(ts, self._walk())
        self._pulled |= self._late
        withdraw = self._pulled & self._late & self._present()
        quotes = self._send(ts, withdraw | (self._wish() & self._prompt & ~self._late))
        self._judge(ts, np.arange(len(self.state)))
        return theos, quotes

    def react(self, ts: int, maker: int) -> Rows:
        """A maker with latency answers the last move."""
        cells = self.part(maker, Part.ALL)
        returning = cells & self._pulled
        self._pulled &= ~cells
        return self._quote(ts, cells & (returning | self._wish()) & (self.stance != Stance.ABSENT))

    def step(self, ts: int, maker: int, part: int, stance: int) -> Rows:
        """A maker's script puts some contracts into another stance."""
        cells = self.part(maker, part)
        self.stance[cells] = stance
        return self._quote(ts, cells & ((stance != Stance.ABSENT) | self._present()))

    def snapshot(self, ts: int, cells: Mask) -> Rows:
        """Quotes come again as they stand now, an absent one as an empty quote."""
        return self._quote(ts, cells)

    def theo_gone(self, ts: int, number: int) -> Rows:
        """The theo of a contract is withdrawn."""
        at = self._number == number
        self._gone |= at
        self.missing |= at
        rows = self._theo_rows(ts, np.flatnonzero(at))
        rows["theo"] = NULL
        self._judge(ts, self._of_contracts(at))
        return rows

    def theo_back(self, ts: int, number: int) -> Rows:
        """The theo of a contract is published again."""
        at = self._number == number
        self._gone &= ~at
        self.missing &= ~at
        self._judge(ts, self._of_contracts(at))
        return self._theo_rows(ts, np.flatnonzero(at))

    def feed_down(self, ts: int, cells: Mask) -> None:
        """From now on nobody knows what `cells` are."""
        self.down |= cells
        self._judge(ts, np.flatnonzero(cells))

    def feed_up(self, ts: int, cells: Mask) -> None:
        """The feed is heard again; each cell stays unknown until its next quote."""
        self.down &= ~cells
        self.dark |= cells
        self._judge(ts, np.flatnonzero(cells))

    def feed_synced(self, ts: int, cells: Mask) -> None:
        """The snapshot is whole: what it did not restate is not there."""
        lost = cells & self.dark
        self.bid_size[lost] = self.ask_size[lost] = 0
        self.dark &= ~lost
        self._judge(ts, np.flatnonzero(lost))

    def poison(self, ts: int, maker: int, draw: int) -> tuple[Rows, str]:
        """A bad quote and why it is one; its slot is unknown until the maker's next good quote."""
        cell = maker * self.n + draw % self.n
        rows = self._compose(ts, np.array([cell]), np.array([Stance.GOOD]))
        reason = spoil(rows, draw // self.n)
        self.dark[cell] = True
        self._judge(ts, np.array([cell]))
        return rows, reason

    def close(self, ts: int) -> tuple[Rows, Rows]:
        """After the session: the last theos once more, and every quote is withdrawn."""
        wanted = self._present()
        self.stance[:] = Stance.ABSENT
        return self._theo_rows(ts, np.flatnonzero(~self._gone)), self._quote(ts, wanted)

    # -- how it is done -------------------------------------------------------------------------

    def _walk(self) -> Mask:
        """Move the underlying; which theos changed. The first time it rests and all are new."""
        if not self._moved:
            self._moved = True
            return np.ones(self.n, dtype=np.bool_)
        step = int(self._rng.choice([-2, -1, 1, 2])) * SPOT_TICK
        if abs(self._spot + step - self._first_spot) > self._first_spot * DRIFT:
            step = -step
        self._spot += step
        before, self.theo = self.theo, self._pricing.theos(self._spot)
        return np.not_equal(before, self.theo)

    def _publish(self, ts: int, changed: Mask) -> Rows:
        self.missing = self._gone.copy()
        return self._theo_rows(ts, np.flatnonzero(changed & ~self._gone))

    def _theo_rows(self, ts: int, contracts: Ints) -> Rows:
        rows = np.zeros(len(contracts), dtype=THEO)
        rows["ts_event"] = ts
        rows["theo"] = self.theo[contracts]
        rows["contract"] = self._number[contracts]
        return rows

    def _present(self) -> Mask:
        return (self.bid_size > 0) | (self.ask_size > 0)

    def _wish(self) -> Mask:
        """Which quotes makers want to renew now: those gone against the stance, and some others."""
        meant = np.isin(self.stance, VALID_STANCES)
        limit = np.tile(np.maximum(3 * self.theo, 100 * TICK), self.makers)
        valid = self._sound() & ((self.ask - self.bid) * 100 <= limit)
        renew = (valid != meant) | (self._rng.random(len(meant)) < self._share)
        wish: Mask = renew & (self.stance != Stance.ABSENT)
        return wish

    def _quote(self, ts: int, wanted: Mask) -> Rows:
        rows = self._send(ts, wanted)
        self._judge(ts, np.flatnonzero(wanted))
        return rows

    def _send(self, ts: int, wanted: Mask) -> Rows:
        """Compose and put into the book the quotes of the wanted cells."""
        cells = np.flatnonzero(wanted)
        stance = np.where(self._pulled[cells], Stance.ABSENT, self.stance[cells])
        rows = self._compose(ts, cells, stance)
        self.bid_size[cells], self.ask_size[cells] = rows["bid_size"], rows["ask_size"]
        self.bid[cells] = np.where(rows["bid_size"] > 0, rows["bid_price"], 0)
        self.ask[cells] = np.where(rows["ask_size"] > 0, rows["ask_price"], 0)
        self.dark[cells] &= self.down[cells]  # a quote while the feed is down tells nothing
        return rows

    def _compose(self, ts: int, cells: Ints, stance: Ints) -> Rows:
        """Quotes around theo in whole ticks, as each stance wants them."""
        contract = cells % self.n
        theo = self.theo[contract]
        limit = np.maximum(3 * theo // (100 * TICK), 1)
        spread = np.maximum(limit * self._width[cells] // 100, 1)
        spread = np.where(stance == Stance.WIDE, 2 * limit + 1, spread)
        bid = np.maximum((2 * theo // TICK - spread) // 2, 1)
        bid = np.where(stance == Stance.FAR, bid + 20 + theo // (10 * TICK), bid)
        crossed = stance == Stance.CROSSED
        bid = np.where(crossed, np.maximum(bid, 2), bid)
        ask = np.where(crossed, bid - contract % 2, bid + spread)  # locked at even contracts
        single, absent = stance == Stance.ONE_SIDED, stance == Stance.ABSENT
        no_bid = absent | (single & (contract % 2 == 1))
        no_ask = absent | (single & (contract % 2 == 0))
        rows = np.zeros(len(cells), dtype=QUOTE)
        rows["ts_event"] = ts
        rows["maker"] = cells // self.n + 1
        rows["contract"] = self._number[contract]
        rows["bid_price"] = np.where(no_bid, NULL, bid * TICK)
        rows["ask_price"] = np.where(no_ask, NULL, ask * TICK)
        sizes = self._rng.integers(1, 51, (2, len(cells)))
        rows["bid_size"] = np.where(no_bid, 0, sizes[0])
        rows["ask_size"] = np.where(no_ask, 0, sizes[1])
        return rows

    def _of_contracts(self, contracts: Mask) -> Ints:
        return np.flatnonzero(np.tile(contracts, self.makers))

    def _sound(self) -> Mask:
        """Both sides are there and do not cross."""
        return (self.bid_size > 0) & (self.ask_size > 0) & (self.bid < self.ask)

    def _judge(self, ts: int, cells: Ints) -> None:
        """Note which of `cells` are in another state now."""
        before, now = self.state[cells], self._states(cells)
        changed = np.flatnonzero(before != now)
        if not len(changed):
            return
        cells, now = cells[changed], now[changed]
        self.state[cells] = now
        slots = cells // self.n * self._contracts + self._number[cells % self.n] - 1
        self.edges.append(Edges(ts, slots, now))

    def _states(self, cells: Ints) -> NDArray[np.uint8]:
        """The founding rule. Without a theo, only a spread of one tick is known to be allowed."""
        theo, missing = self.theo[cells % self.n], self.missing[cells % self.n]
        sound = self._sound()[cells]
        spread = self.ask[cells] - self.bid[cells]
        within_tick = spread <= TICK
        within = spread * 100 <= np.maximum(3 * theo, 100 * TICK)
        state = np.where(sound & np.where(missing, within_tick, within), QUOTED, LAPSED)
        state = np.where(sound & missing & ~within_tick, UNKNOWN, state)
        return np.where(self.down[cells] | self.dark[cells], UNKNOWN, state).astype(np.uint8)


def spoil(rows: Rows, draw: int) -> str:
    """Make a good two-sided quote bad in one way; returns the reason it must be refused for."""
    side = "bid" if draw % 2 else "ask"
    price, size = f"{side}_price", f"{side}_size"
    column, value, reason = (
        (size, -5, "bad_size"),
        (price, rows[price][0] + 1, "off_tick"),
        (price, 92 * 10**17 + TICK, "bad_price"),
        (price, 0, "non_positive_price"),
        (price, -TICK, "non_positive_price"),
        (price, NULL, "size_without_price"),
    )[draw // 2 % 6]
    rows[column] = value
    return reason
