"""The least size of a quote by contract (VAL-04): one for all, or by how near the contract's expiry month is.

Months are ranked among those in which something of the class that is listed expires on the trading date or later, as in
the required set; the nearest is 0.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mm_monitor.core.reference import Contract, Reference
from mm_monitor.core.rulebook import Rulebook

Month = tuple[str, str]  # class, year and month


def least_sizes(rulebook: Rulebook, reference: Reference, day: str) -> NDArray[np.int32]:
    """(m,) of at least 1, for each contract of the reference; `day` is the trading date (ISO text), "" = none yet."""
    plain = max(1, rulebook.min_size or 1)
    sizes = np.full(len(reference.contracts), plain, dtype=np.int32)
    if rulebook.size_by_month:
        ranks = _ranks(reference, day)
        for index, contract in enumerate(reference.contracts):
            rank = ranks.get(_month(contract)) if contract.expiry >= day else None
            sizes[index] = _size(rulebook, rank, plain)
    return sizes


def _month(contract: Contract) -> Month:
    return contract.klass, contract.expiry[:7]


def _ranks(reference: Reference, day: str) -> Mapping[Month, int]:
    """How many months of its class are nearer than a month; one that is over has no rank."""
    listed = (c for c, live in zip(reference.contracts, reference.live, strict=True) if live)
    months = sorted({_month(c) for c in listed if c.expiry and c.expiry >= day})
    first = {klass: at for at, (klass, _) in reversed(list(enumerate(months)))}
    return {month: at - first[month[0]] for at, month in enumerate(months)}


def _size(rulebook: Rulebook, rank: int | None, plain: int) -> int:
    """None = a contract without end, or one that is over: as far as can be, so that only open-ended cells hold it."""
    for cell in rulebook.size_by_month:
        near = cell.months_to is None or (rank is not None and rank < cell.months_to)
        if near and (rank is None or rank >= cell.months_from):
            return max(1, cell.size)
    return plain
