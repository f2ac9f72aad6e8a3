"""Carrying state from one layout of slots to the next, by obligation key, when the reference changes on the tape."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mm_monitor.core.accrual import BESIDE, Accruals
from mm_monitor.core.book import Book
from mm_monitor.core.reference import Reference
from mm_monitor.kernels import layout

Moved = tuple[
    NDArray[np.int64], NDArray[np.int64]
]  # slots before, the same obligations' slots after


def carry_over(
    old: Accruals, old_book: Book, new: Accruals, book: Book, reference: Reference, now: list[set[int]], t: int
) -> Moved:  # fmt: skip
    """Fill `new` from `old`, both settled at `t`; obligations begin and end there.

    `now` holds the makers appointed to each class from `t` on. What is new counts from `t`; what has ended
    keeps its totals and accrues no more.
    """
    _carry_contracts(old, new, reference, t)
    keys = book.keys()
    before = np.arange(len(old_book.slot_con), dtype=np.int64)
    pairs = zip(old_book.slot_maker.tolist(), old_book.slot_con.tolist(), strict=True)
    after = np.array([keys[pair] for pair in pairs], dtype=np.int64)
    fresh = np.ones(len(book.slot_con), dtype=np.bool_)
    fresh[after] = False
    new.slots[after] = old.slots[before]
    for name in BESIDE:
        if len(getattr(new, name)):
            getattr(new, name)[after] = getattr(old, name)[before]
    _carry_lists(old, new, after)
    _carry_replies(old, new, before, after)
    live = np.array(reference.live, dtype=np.bool_)[book.slot_con]
    makers = zip(book.slot_maker.tolist(), book.cls[book.slot_con].tolist(), strict=True)
    obliged = live & np.array([maker in now[cls] for maker, cls in makers], dtype=np.bool_)
    _begin_and_end(new, fresh, obliged)
    new.count_held()
    return before, after


def _carry_replies(
    old: Accruals, new: Accruals, before: NDArray[np.int64], after: NDArray[np.int64]
) -> None:
    cells = new.replies["cell"].copy()
    new.replies[after] = old.replies[before]
    new.replies["cell"] = cells
    classes, makers = old.latency.shape[:2]
    new.latency[:classes, :makers] = old.latency


def _carry_contracts(old: Accruals, new: Accruals, reference: Reference, t: int) -> None:
    carried = len(old.cons)
    for name in layout.CON.names or ():
        if name not in (
            "slot0", "slots", "cls", "cover", "held", "due", "head", "tail", "bucket", "min_size",
        ):  # fmt: skip
            new.cons[name][:carried] = old.cons[name]
    new.cons["t_last"] = t
    new.cons["due"] = layout.LONG_AGO  # to be looked for afresh
    new.cons["tick"] = [c.tick for c in reference.contracts]
    new.cons["live"] = reference.live
    new.cons["cover"] = 0  # restating every slot counts them again
    new.slots["ex"] &= ~np.uint8(layout.MAYBE)
    new.histories = [*old.histories, *([] for _ in range(len(new.cons) - carried))]


def _carry_lists(old: Accruals, new: Accruals, after: NDArray[np.int64]) -> None:
    """What falls due keeps its order: links are the same slots by their new numbers."""
    if len(new.rests):
        for name in ("prev", "next"):
            new.rests[name][after] = renumbered(old.rests[name], after)
    carried = len(old.cons)
    for name in ("head", "tail"):
        new.cons[name][:carried] = renumbered(old.cons[name], after)


def renumbered(links: NDArray[np.int32], after: NDArray[np.int64]) -> NDArray[np.int32]:
    """Links to slots by their new numbers; END and OUT stay."""
    if not len(after):
        return links
    return np.where(links >= 0, after[np.maximum(links, 0)], links).astype(np.int32)


def _begin_and_end(new: Accruals, fresh: NDArray[np.bool_], obliged: NDArray[np.bool_]) -> None:
    slots, past, con = new.slots, new.past, new.book.slot_con
    for_all = (new.cons["e_val"] - new.cons["n_val"])[con]
    was = ~fresh & (slots["state"] != layout.NONE)
    begins, ends = obliged & ~was, was & ~obliged
    begins_dead = fresh & ~obliged
    past["exempt"][begins] -= for_all[begins]
    past["exempt"][ends] += for_all[ends]
    slots["n_last"][begins | begins_dead] = new.cons["n_val"][con][begins | begins_dead]
    slots["state"][begins] = layout.LAPSED
    slots["state"][ends | begins_dead] = layout.NONE
    slots["ex"] &= ~np.uint8(layout.MAYBE)
