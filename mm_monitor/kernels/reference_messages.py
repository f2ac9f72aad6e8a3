"""The message kernel in plain Python: the specification as code. Same names and bytes as `cext/messages.pyx`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mm_monitor.core.batch import QUOTE_BAD
from mm_monitor.core.model import Kind
from mm_monitor.kernels.layout import HEARD, PARTY, STANDING, SUMS
from mm_monitor.kernels.reference_state import Indices, Ints, Row, Rows, check_rows, rows_of

SECOND = 1_000_000_000


class Messages:
    """The arrays of one count, checked once; m contracts, n slots.

    A party is a maker, or behind all makers an account by its number. parties (makers + accounts,) PARTY, standing
    (slots + accounts * m,) STANDING: of makers by slot, of accounts by contract; sums (parties * groups,) SUMS; queue
    (k,) HEARD, ring (2,) int64: head and length of what it holds; slot0, cls, group (m,) int32, rank (classes *
    makers,) int32.
    """

    def __init__(
        self, parties: Rows, standing: Rows, sums: Rows, queue: Rows, ring: Ints, slot0: Indices,
        cls: Indices, group: Indices, rank: Indices, makers: int, groups: int, slots: int,
    ) -> None:  # fmt: skip
        self.parties, self.standing, self.sums = parties, standing, sums
        self.queue, self.ring = queue, ring
        self.slot0, self.cls, self.group, self.rank = slot0, cls, group, rank
        self.makers, self.groups, self.slots = makers, groups, slots
        _check_types(self)
        _check_lengths(self)
        for i in range(len(slot0)):
            _check_contract(self, i)


def _check_types(w: Messages) -> None:
    for name, dtype in (
        ("parties", PARTY),
        ("standing", STANDING),
        ("sums", SUMS),
        ("queue", HEARD),
    ):
        if getattr(w, name).dtype != dtype:
            raise ValueError(f"{name}: {dtype}, got {getattr(w, name).dtype}")


def _check_lengths(w: Messages) -> None:
    m, parties = len(w.slot0), len(w.parties)
    if len(w.cls) != m or len(w.group) != m:
        raise ValueError(f"cls, group: {m} elements, got {len(w.cls)}, {len(w.group)}")
    if w.groups < 1 or len(w.sums) != parties * w.groups:
        raise ValueError(f"sums: {parties} parties x {w.groups}, got {len(w.sums)}")
    if w.makers < 1 or len(w.rank) % w.makers:
        raise ValueError(f"rank: a multiple of {w.makers} elements, got {len(w.rank)}")
    if w.slots < 0 or parties < w.makers or len(w.standing) != w.slots + (parties - w.makers) * m:
        whole = f"{w.slots} slots and {parties} - {w.makers} accounts x {m}"
        raise ValueError(f"standing: {whole}, got {len(w.standing)}")
    if len(w.ring) != 2 or len(w.queue) < 1:
        raise ValueError(f"ring: 2 elements and a queue, got {len(w.ring)}, {len(w.queue)}")
    if not (0 <= w.ring[0] < len(w.queue) and 0 <= w.ring[1] <= len(w.queue)):
        raise ValueError(f"ring: within {len(w.queue)}, got {w.ring[0]}, {w.ring[1]}")
    for i, party in enumerate(w.queue["party"].tolist()):
        if not 0 <= party < max(1, parties):
            raise ValueError(f"queue {i}: party {party} of {parties}")


def _check_contract(w: Messages, i: int) -> None:
    cls, group, slots = int(w.cls[i]), int(w.group[i]), w.slots
    if not 0 <= group < w.groups:
        raise ValueError(f"contract {i}: group {group} of {w.groups}")
    if cls < 0 or (cls + 1) * w.makers > len(w.rank):
        raise ValueError(f"contract {i}: class {cls} is outside the rank table")
    for rank in w.rank[cls * w.makers : (cls + 1) * w.makers].tolist():
        if rank >= 0 and not 0 <= int(w.slot0[i]) + rank < slots:
            raise ValueError(f"contract {i}: slot {int(w.slot0[i]) + rank} of {slots}")


def forget_old(w: Messages, t: int) -> None:
    """Everything that is a second old leaves the queue."""
    while w.ring[1] and t - int(w.queue["ts"][w.ring[0]]) >= SECOND:
        w.parties["sliding"][w.queue["party"][w.ring[0]]] -= 1
        w.ring[0] = (w.ring[0] + 1) % len(w.queue)
        w.ring[1] -= 1


def count(w: Messages, party: int, t: int) -> None:
    """One more message of a party."""
    p = w.parties[party : party + 1]
    p["messages"] += 1
    p["sliding"] += 1
    p["sliding_most"] = max(int(p["sliding_most"][0]), int(p["sliding"][0]))
    second = t // SECOND
    if second != int(p["second"][0]):
        p["second"], p["in_second"] = second, 0
    p["in_second"] += 1
    p["second_most"] = max(int(p["second_most"][0]), int(p["in_second"][0]))


def add(s: Rows, name: str, price: int, size: int) -> None:
    """Grow a sum of 128 bits."""
    low, high = f"{name}_lo", f"{name}_hi"
    total = (int(s[high][0]) << 64) + int(s[low][0]) + price * size
    s[low], s[high] = total % 2**64, (total >> 64) % 2**64


def side(q: Rows, s: Rows, name: str, price: int, size: int) -> None:
    """A side that is as it was is neither cancelled nor submitted."""
    old_price, old_size = int(q[name][0]), int(q[f"{name}_size"][0])
    if size == old_size and (price == old_price or not size):
        return
    add(s, "cancelled", old_price, old_size)
    if size:
        add(s, "submitted", price, size)
    q[name], q[f"{name}_size"] = price, size


def replace(w: Messages, slot: int, sums: int, r: Row) -> None:
    """A quote replaces the one that stands; a bad one by what is not known: of neither an amount is known."""
    q, s = w.standing[slot : slot + 1], w.sums[sums : sums + 1]
    if r.flags & QUOTE_BAD:
        q["bid_size"] = q["ask_size"] = 0
        return
    side(q, s, "bid", r.a, r.a_size)
    side(q, s, "ask", r.b, r.b_size)


def count_messages(w: Messages, rows: Rows, start: int) -> int:
    """Count the quotes among `rows` from `start`; returns the first row not counted, where the queue is full.

    Times must not go back. A quote by nobody that is known is no message; one without an obligation is a message
    without an amount.
    """
    check_rows(rows)
    if not 0 <= start <= len(rows):
        raise ValueError(f"start: 0 to {len(rows)}, got {start}")
    for i, r in enumerate(rows_of(rows[start:]), start):
        party = w.makers + r.account - 1 if r.account else r.maker
        if r.kind != Kind.QUOTE or not 0 <= r.maker < w.makers or party >= len(w.parties):
            continue
        forget_old(w, r.ts)
        if w.ring[1] == len(w.queue):
            return i
        w.queue[(w.ring[0] + w.ring[1]) % len(w.queue)] = (r.ts, party)
        w.ring[1] += 1
        count(w, party, r.ts)
        if 0 <= r.contract < len(w.slot0):
            rank = int(w.rank[int(w.cls[r.contract]) * w.makers + r.maker])
            if rank >= 0:
                at = int(w.slot0[r.contract]) + rank
                if r.account:
                    at = w.slots + (r.account - 1) * len(w.slot0) + r.contract
                replace(w, at, party * w.groups + int(w.group[r.contract]), r)
    return len(rows)


def count_quotes(rows: Rows, counts: NDArray[np.int64]) -> None:
    """counts[maker] grows by the quotes of each maker, good or bad; makers outside `counts` are left out."""
    check_rows(rows)
    for r in rows_of(rows):
        if r.kind == Kind.QUOTE and 0 <= r.maker < len(counts):
            counts[r.maker] += 1
