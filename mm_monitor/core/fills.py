"""A venue that does not restate a quote after a fill: what stands is smaller by it, no older and no younger.

Of a maker with several accounts the quote of the account shrinks, and the maker's is what they then amount to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mm_monitor.core.batch import Rows
from mm_monitor.core.model import FillRecord
from mm_monitor.kernels import layout

if TYPE_CHECKING:
    from mm_monitor.core.evaluator import Evaluator


def take_fill(e: Evaluator, record: FillRecord) -> None:
    """Take what was traded from what stands, where there is such an obligation."""
    maker = e.reference.find_maker(record.maker)
    contract = e.reference.contract_index[record.contract]
    slot = e.book.find(maker, contract)
    if slot < 0 or not e.accruals.cons["live"][contract]:
        return
    e.before(record.ts)
    number = e.reference.account_number(record.maker)
    left = e.accounts.shrink(maker, number, contract, record.side, record.size)
    if left is None:
        less = (record.size, 0) if record.side == "buy" else (0, record.size)
        _shrink(e, slot, record.ts, *less)
        return
    whole = e.accounts.fold(left, e.book, e.accruals.cons["live"] > 0)
    _become(e, slot, record.ts, whole)


def _shrink(e: Evaluator, slot: int, t: int, bid: int, ask: int) -> None:
    columns = (np.array([x], np.int32) for x in (bid, ask))
    e.after_control(e.accruals.shrink(np.array([slot], np.int32), t, *columns), t)


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
        _shrink(e, slot, t, *less)
    elif not s["unk"]:  # else it is not known what stands, and a fill does not tell
        src = int(s["src"])
        whole["ts"] = t
        whole["part"], whole["offset"] = (
            (src >> layout.SRC_OFFSET_BITS) & 0xFFFF,
            src & (1 << layout.SRC_OFFSET_BITS) - 1,
        )
        e.after_control(e.accruals.apply(whole, e.counts.copy()), t)
