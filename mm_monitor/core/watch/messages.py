"""What makers send: how many quotes, how large, how long they stand, and what moved just before or after.

Everything is read off the rows of the tape; none of it asks whether a quote was valid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mm_monitor.core.batch import QUOTE_BAD, THEO_MISSING, Batch, Rows
from mm_monitor.core.model import Kind
from mm_monitor.core.reference import Reference
from mm_monitor.core.watch.columns import Ints, Mask, grown, latest, previous

REACTION = 1_000_000  # ns within which one thing follows another
NEVER = -(2**62)
# Upper ends (ns) of the buckets of standing times: 1, 2, 5 from 1 us to 100 s; the last has none.
STANDING = np.array([m * 10**e for e in range(3, 11) for m in (1, 2, 5)] + [10**11], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class _Sent:
    """Good quotes by makers we know, in tape order; `at` is the place of each among the rows."""

    at: Ints
    ts: Ints
    maker: Ints
    contract: Ints
    rows: Rows


class Messages:
    """Counts by maker (m,), by contract (c,), or by both (c, m), as the reference numbers them."""

    def __init__(self, reference: Reference) -> None:
        self._reference = reference
        self.sent = np.zeros(0, dtype=np.int64)  # quotes, those that cannot be used included
        self.two_sided = np.zeros(0, dtype=np.int64)
        self.one_lot = np.zeros(0, dtype=np.int64)
        self.standing = np.zeros((0, len(STANDING) + 1), dtype=np.int64)  # presences, by length
        self.withdrawn = np.zeros((0, 0), dtype=np.int64)
        self.faded = np.zeros((0, 0), dtype=np.int64)  # withdrawn within REACTION of a move
        self.moves = np.zeros(0, dtype=np.int64)  # of theo
        self.led = np.zeros((0, 0), dtype=np.int64)  # moves of theo that a maker's own preceded
        self.first_move = np.zeros(0, dtype=np.int64)
        self.last_move = np.zeros(0, dtype=np.int64)
        self._theo = np.zeros(0, dtype=np.int64)  # 0 = none yet
        self._middle = np.zeros((0, 0), dtype=np.int64)
        self._since = np.zeros((0, 0), dtype=np.int64)
        self._there = np.zeros((0, 0), dtype=np.int64)
        self._mover = np.zeros((0, 3), dtype=np.int64)  # of each contract: maker, sign, instant
        self._grow()

    def _grow(self) -> None:
        makers = max(1, len(self._reference.makers))
        contracts = max(1, len(self._reference.contracts))
        for name in ("sent", "two_sided", "one_lot"):
            setattr(self, name, grown(getattr(self, name), (makers,)))
        for name in ("moves", "_theo", "first_move"):
            setattr(self, name, grown(getattr(self, name), (contracts,)))
        for name in ("withdrawn", "faded", "led", "_middle", "_since", "_there"):
            setattr(self, name, grown(getattr(self, name), (contracts, makers)))
        self.last_move = grown(self.last_move, (contracts,), NEVER)
        self.standing = grown(self.standing, (makers, len(STANDING) + 1))
        self._mover = grown(self._mover, (contracts, 3), NEVER)

    def take(self, batch: Batch) -> None:
        """Count a piece of the tape."""
        self._grow()
        rows = batch.rows
        mine = (rows["kind"] == Kind.QUOTE) & (rows["maker"] >= 0)
        self.sent += np.bincount(rows["maker"][mine], minlength=len(self.sent))
        sent = _sent(rows, np.flatnonzero(mine & (rows["flags"] != QUOTE_BAD)))
        self._count_sizes(sent)
        gone = self._follow_presence(sent)
        moved, signs = self._follow_theo(rows)
        self._attribute(rows, sent, moved, signs)
        self._count_fading(rows, sent, gone, moved)

    def _count_sizes(self, sent: _Sent) -> None:
        least = np.minimum(sent.rows["a_size"], sent.rows["b_size"])
        n = len(self.two_sided)
        self.two_sided += np.bincount(sent.maker[least > 0], minlength=n)
        self.one_lot += np.bincount(sent.maker[least == 1], minlength=n)

    def _keys(self, sent: _Sent) -> Ints:
        return sent.contract * self._there.shape[1] + sent.maker

    def _follow_presence(self, sent: _Sent) -> Mask:
        """Which quotes withdrew what stood; the lengths of those presences are counted."""
        keys = self._keys(sent)
        there = ((sent.rows["a_size"] > 0) | (sent.rows["b_size"] > 0)).astype(np.int64)
        before = previous(keys, there, self._there.reshape(-1))
        since = latest(keys, (there > 0) & (before == 0), sent.ts, self._since.reshape(-1))
        gone: Mask = (there == 0) & (before > 0)
        bucket = np.searchsorted(STANDING, (sent.ts - since)[gone])
        np.add.at(self.standing, (sent.maker[gone], bucket), 1)
        return gone

    def _follow_theo(self, rows: Rows) -> tuple[Ints, Ints]:
        """Places of the theos that moved, and which way."""
        at = np.flatnonzero((rows["kind"] == Kind.THEO) & (rows["flags"] != THEO_MISSING))
        contract, theo = rows["contract"][at].astype(np.int64), rows["a"][at].astype(np.int64)
        known = theo > 0
        at, contract, theo = at[known], contract[known], theo[known]
        before = previous(contract, theo, self._theo)
        moved = (before > 0) & (before != theo)
        at, contract = at[moved], contract[moved]
        fresh = contract[self.moves[contract] == 0]
        np.add.at(self.moves, contract, 1)
        if len(fresh):  # the earliest of each contract is written last
            order = np.flatnonzero(np.isin(contract, fresh))[::-1]
            self.first_move[contract[order]] = rows["ts"][at[order]]
        return at, np.sign(theo - before)[moved]

    def _attribute(self, rows: Rows, sent: _Sent, moved: Ints, signs: Ints) -> None:
        """Moves of theo that came just after a maker had moved its own middle the same way."""
        two = np.minimum(sent.rows["a_size"], sent.rows["b_size"]) > 0
        middle = (sent.rows["a"] + sent.rows["b"])[two]
        before = previous(self._keys(sent)[two], middle, self._middle.reshape(-1))
        own = np.flatnonzero(two)[(before != 0) & (before != middle)]
        own_signs = np.sign(middle - before)[(before != 0) & (before != middle)]
        at = np.concatenate([sent.at[own], moved])
        order = np.argsort(at, kind="stable")
        marks = np.concatenate([np.ones(len(own), np.bool_), np.zeros(len(moved), np.bool_)])[order]
        contract = rows["contract"][at[order]].astype(np.int64)
        ts = rows["ts"][at[order]]
        who = np.where(marks, rows["maker"][at[order]], 0).astype(np.int64)
        sign = np.concatenate([own_signs, signs])[order]
        maker, way, when = (
            latest(contract, marks, values, self._mover[:, i])
            for i, values in enumerate((who, sign, ts))
        )
        led = ~marks & (when >= ts - REACTION) & (way == sign)
        np.add.at(self.led, (contract[led], maker[led]), 1)

    def _count_fading(self, rows: Rows, sent: _Sent, gone: Mask, moved: Ints) -> None:
        """Withdrawals that came just after theo had moved."""
        left = sent.at[gone]
        at = np.concatenate([moved, left])
        order = np.argsort(at, kind="stable")
        marks = np.concatenate([np.ones(len(moved), np.bool_), np.zeros(len(left), np.bool_)])[
            order
        ]
        contract, ts = rows["contract"][at[order]].astype(np.int64), rows["ts"][at[order]]
        when = latest(contract, marks, ts.astype(np.int64), self.last_move)
        maker = rows["maker"][at[order]]
        near = ~marks & (when >= ts - REACTION)
        np.add.at(self.withdrawn, (contract[~marks], maker[~marks]), 1)
        np.add.at(self.faded, (contract[near], maker[near]), 1)

    def median_standing(self, maker: int) -> int | None:
        """Upper end of the bucket in which the median presence lies, -1 for the last; None without any."""
        counts = self.standing[maker].tolist()
        half, below = (sum(counts) + 1) // 2, 0
        for bucket, count in enumerate(counts):
            below += count
            if count and below >= half:
                return int(STANDING[bucket]) if bucket < len(STANDING) else -1
        return None


def _sent(rows: Rows, at: NDArray[np.intp]) -> _Sent:
    mine = rows[at]
    return _Sent(
        at.astype(np.int64),
        mine["ts"].astype(np.int64),
        mine["maker"].astype(np.int64),
        mine["contract"].astype(np.int64),
        mine,
    )
