"""The rows of `layout.REPLY` as a snapshot holds them: whole only where something is still open.

Of an idle row, whose instant is over and of which nothing is measured, only the answer says anything. Of any row, the
last turn says nothing once it is dealt with, and the record that began a measurement nothing if there is none.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mm_monitor.kernels import layout

DEALT_WITH = {"at": layout.LONG_AGO, "n_at": 0, "lapsed": 0, "reads_theo": 0}


def pack_replies(
    slots: NDArray[np.void], replies: NDArray[np.void], last: int
) -> tuple[NDArray[np.void], dict[str, Any]]:
    """The n slots as they are kept, and the n replies that are not idle after the records of instant `last`."""
    lapses = (slots["was"] == layout.V_PASSES) & (slots["now"] == layout.V_FAILS)
    open_ = lapses | (replies["since"] >= 0) | (slots["watched"] > 0) | (slots["by_at"] >= last)
    kept = slots.copy()
    kept["was"][~open_] = kept["now"][~open_]
    kept["by_at"][~open_] = layout.LONG_AGO
    kept["by"][~open_] = kept["had"][~open_] = 0
    which = np.flatnonzero(open_).astype(np.int32)
    rows = replies[which]
    settled, idle = kept["was"][which] == kept["now"][which], rows["since"] < 0
    for name, nothing in DEALT_WITH.items():
        rows[name][settled] = nothing
    for name in ("n", "cause"):
        rows[name][idle] = 0
    return kept, {"which": which, "rows": rows}


def unpack_replies(replies: NDArray[np.void], kept: dict[str, Any], moved: NDArray[Any]) -> None:
    """Inverse of `pack_replies`; `moved` are the places of those rows in `replies`, whose cells stay."""
    cells = replies["cell"].copy()
    replies[moved[kept["which"]]] = kept["rows"]
    replies["cell"] = cells


def pack_latency(latency: NDArray[np.int64]) -> dict[str, Any]:
    """The counts that are not 0, by their place."""
    which = np.flatnonzero(latency)
    return {"which": which, "counts": latency.reshape(-1)[which]}


def unpack_latency(latency: NDArray[np.int64], kept: dict[str, Any]) -> None:
    """Inverse of `pack_latency`."""
    latency.reshape(-1)[kept["which"]] = kept["counts"]
