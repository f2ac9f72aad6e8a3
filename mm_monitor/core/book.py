"""(maker, contract) to slot and back: the obligations of one rulebook as dense integers.

The slots of a contract follow each other, makers in name order, so that a theo's fan-out is one walk through memory
and a quote finds its slot by one look into a small table: `slot0[contract] + rank[class, maker]`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mm_monitor.core.batch import Rows
from mm_monitor.core.reference import ALL, Reference


@dataclass(frozen=True, slots=True)
class Book:
    """Layout of n slots over m contracts, c classes and k makers."""

    slot_maker: NDArray[np.int32]  # (n,)
    slot_con: NDArray[np.int32]  # (n,)
    slot0: NDArray[np.int32]  # (m,) first slot of a contract
    slots: NDArray[np.int32]  # (m,) number of slots of a contract
    cls: NDArray[np.int32]  # (m,) class of a contract
    rank: NDArray[
        np.int32
    ]  # (c * k,) position of a maker among those appointed to a class, -1 = not appointed
    makers: int
    order: NDArray[np.int64]  # (n,) slots sorted by maker name, then contract name

    def obliged(self, rows: Rows, live: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which quote rows are of a maker appointed to the contract's class; `live` by contract."""
        maker, contract = rows["maker"], rows["contract"]
        known = (maker >= 0) & (maker < self.makers) & live[contract]
        rank = self.rank[self.cls[contract] * self.makers + np.where(known, maker, 0)]
        wanted: NDArray[np.bool_] = known & (rank >= 0)
        return wanted

    def find(self, maker: int, contract: int) -> int:
        """The slot of a maker now appointed to the contract's class, -1 if there is none."""
        if not 0 <= maker < self.makers or contract >= len(self.slots):
            return -1
        rank = int(self.rank[self.cls[contract] * self.makers + maker])
        return -1 if rank < 0 else int(self.slot0[contract]) + rank

    def keys(self) -> dict[tuple[int, int], int]:
        """(maker, contract) -> slot."""
        pairs = zip(self.slot_maker.tolist(), self.slot_con.tolist(), strict=True)
        return {pair: slot for slot, pair in enumerate(pairs)}

    def keys_of(self, subjects: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
        """Slots of those (maker, contract), in their order."""
        keys = self.keys()
        return np.array([keys[subject] for subject in subjects], dtype=np.int64)


def appointed(reference: Reference, rulebook_id: str) -> list[set[int]]:
    """For each class that is judged here, the makers appointed to it under this rulebook."""
    sets: list[set[int]] = [set() for _ in reference.classes]
    for a in reference.appointments:
        if a.rulebook not in ("", rulebook_id):
            continue
        maker = reference.maker_index[a.maker]
        if a.klass == ALL:
            for members in sets:
                members.add(maker)
        elif a.klass in reference.class_index:
            sets[reference.class_index[a.klass]].add(maker)
    share = reference.share
    if share is None:
        return sets
    return [
        found if share.has(name) else set()
        for name, found in zip(reference.classes, sets, strict=True)
    ]


def build_book(reference: Reference, members: list[set[int]], now: list[set[int]]) -> Book:
    """Lay out a slot for every contract and every maker in `members` of its class.

    Members were appointed at some time of the day; those in `now` are, and only their quotes find a slot.
    """
    makers = max(1, len(reference.makers))
    rank = np.full((max(1, len(members)), makers), -1, dtype=np.int32)
    ordered = [sorted(group, key=lambda m: reference.makers[m]) for group in members]
    for k, group in enumerate(ordered):
        held = [i for i, maker in enumerate(group) if maker in now[k]]
        rank[k, [group[i] for i in held]] = held
    cls = np.array([reference.class_index[c.klass] for c in reference.contracts], dtype=np.int32)
    slots = np.array([len(ordered[k]) for k in cls.tolist()], dtype=np.int32)
    slot0 = np.concatenate([[0], np.cumsum(slots)[:-1]]).astype(np.int32) if len(slots) else slots
    groups = [ordered[k] for k in cls.tolist()]
    slot_maker = np.array([m for group in groups for m in group], dtype=np.int32)
    slot_con = np.repeat(np.arange(len(slots), dtype=np.int32), slots)
    return Book(
        slot_maker,
        slot_con,
        slot0,
        slots,
        cls,
        rank.ravel(),
        makers,
        _order(reference, slot_maker, slot_con),
    )


def _order(
    reference: Reference, slot_maker: NDArray[np.int32], slot_con: NDArray[np.int32]
) -> NDArray[np.int64]:
    maker_rank = _name_ranks(reference.makers)
    con_rank = _name_ranks([c.name for c in reference.contracts])
    return np.lexsort((con_rank[slot_con], maker_rank[slot_maker])).astype(np.int64)


def _name_ranks(names: list[str]) -> NDArray[np.int64]:
    ranks = np.empty(max(1, len(names)), dtype=np.int64)
    for rank, index in enumerate(sorted(range(len(names)), key=names.__getitem__)):
        ranks[index] = rank
    return ranks
