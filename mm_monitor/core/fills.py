"""A venue that does not restate a quote after a fill: what stands is smaller by it, no older and no younger.

Of a maker with several accounts the quote of the account shrinks, and the maker's is what they then amount to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mm_monitor.core.batch import Rows
from mm_monitor.core.model import FillRecord
from mm_monitor.kernels import layout

if TYPE_CHECKING:
    from mm_monitor.core.evaluator import Evaluator
    from mm_monitor.core.rests import Rests


def take_fill(e: Evaluator, record: FillRecord, rests: Rests | None) -> None:
    """Take what was traded from what stands, where there is such an obligation.

    `rests` knows how a rest ends that the fill begins, where rests count back.
    """
    maker = e.reference.find_maker(record.maker)
    contract = e.reference.contract_index[record.contract]
    slot = e.book.find(maker, contract)
    if slot < 0 or not e.accruals.cons["live"][contract]:
        return
    e.before(record.ts)
    flags = rests.flags((maker, contract, record.ts), e.rulebook.id) if rests is not None else 0
    number = e.reference.account_number(record.maker)
    left = e.accounts.shrink(maker, number, contract, record.side, record.size)
    if left is None:
        less = (record.size, 0) if record.side == "buy" else (0, record.size)
        _shrink(e, slot, record.ts, flags, *less)
        return
    whole = e.accounts.fold(left, e.book, e.accruals.cons["live"] > 0)
    whole["flags"] = flags
    _become(e, slot, record.ts, whole)


def _shrink(e: Evaluator, slot: int, t: int, flags: int, bid: int, ask: int) -> None:
    which, *less = (np.array([x], np.int32) for x in (slot, bid, ask))
    edges = e.accruals.shrink(which, t, less[0], less[1], np.array([flags], np.uint8))
    e.after_control(edges, t)


def _become(e: Evaluator, slot: int, t: int, whole: Rows) -> None:
    """The slot's quote becomes that of the row: smaller at its prices, or another one if another account now leads."""
    s = e.accruals.slots[slot]
    less = [
        int(s["bid_size"]) - int(whole["a_size"][0]),
        int(s["ask_size"]) - int(whole["b_size"][0]),
    ]
    moved = [
        whole[size][0] > 0 and whole[price][0] != s[side]
        for price, size, side in (("a", "a_size", "bid"), ("b", "b_size", "ask"))
    ]
    if not any(moved) and min(less) >= 0:
        _shrink(e, slot, t, int(whole["flags"][0]), *less)
    elif not s["unk"] & layout.BAD:  # else it is not known what stands, and a fill does not tell
        part, offset = divmod(int(s["src"]), 1 << layout.SRC_OFFSET_BITS)
        whole["ts"], whole["part"], whole["offset"] = t, part & 0xFFFF, offset
        quoted = _quoted(e, slot, t)
        edges = _apply(e, slot, whole)
        for chunk in edges:  # RESP-02: a turn, but not by a quote
            chunk["kind"][chunk["kind"] == layout.ANSWERED] = layout.WATCHED
        if not quoted:
            e.accruals.slots["by"][slot] &= ~np.uint8(layout.BY_QUOTE)
        e.after_control(edges, t)


def _apply(e: Evaluator, slot: int, whole: Rows) -> list[NDArray[np.void]]:
    """As a quote would be taken, but no snapshot: what a feed has made unknown waits for a quote as before."""
    slots, waits = e.accruals.slots, e.accruals.slots["unk"][slot]
    slots["unk"][slot] |= layout.DOWN if waits else 0
    edges = e.accruals.apply(whole, e.counts.copy())
    if waits:
        slots["unk"][slot] = waits
    return edges


def _quoted(e: Evaluator, slot: int, t: int) -> bool:
    """RESP-01: has the maker quoted at `t`? A fill that lets another account's quote lead is no answer."""
    s = e.accruals.slots[slot]
    return bool(s["by_at"] == t and s["by"] & layout.BY_QUOTE)
