from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import disjoint_base

@disjoint_base
class Arrays:
    def __init__(
        self,
        slots: NDArray[np.void],
        past: NDArray[np.void],
        wide: NDArray[np.int64],
        win: NDArray[np.void],
        widths: NDArray[np.int64],
        apart: NDArray[np.void],
        rests: NDArray[np.void],
        slot_con: NDArray[np.int32],
        cons: NDArray[np.void],
        rank: NDArray[np.int32],
        param: NDArray[np.void],
        terms: NDArray[np.void],
        cells: NDArray[np.void],
        edges: NDArray[np.void],
        reliefs: int,
    ) -> None: ...
    def follow(self, replies: NDArray[np.void], latency: NDArray[np.int64]) -> None: ...
    @property
    def edge_count(self) -> int: ...
    def clear_edges(self) -> None: ...

def apply_rows(a: Arrays, rows: NDArray[np.void], start: int, counts: NDArray[np.int64]) -> int: ...
def set_clocks(
    a: Arrays,
    which: NDArray[np.int32],
    start: int,
    t: int,
    e_run: NDArray[np.uint8],
    n_run: NDArray[np.uint8],
) -> int: ...
def set_stress(
    a: Arrays, which: NDArray[np.int32], start: int, t: int, on: NDArray[np.uint8]
) -> int: ...
def set_underlying(
    a: Arrays, which: NDArray[np.int32], start: int, t: int, spread: NDArray[np.int64]
) -> int: ...
def end_rests(a: Arrays, start: int, t: int) -> int: ...
def restate(
    a: Arrays,
    which: NDArray[np.int32],
    start: int,
    t: int,
    unk: NDArray[np.uint8],
    ex: NDArray[np.uint8],
    relax: NDArray[np.uint8],
    absent: NDArray[np.uint8],
    reliefs: int,
) -> int: ...
def shrink(
    a: Arrays,
    which: NDArray[np.int32],
    start: int,
    t: int,
    bid: NDArray[np.int32],
    ask: NDArray[np.int32],
    flags: NDArray[np.uint8],
) -> int: ...
def settle(a: Arrays, start: int, t: int, stop: int = -1) -> int: ...
def note_fill(a: Arrays, slot: int, t: int) -> int: ...
def compare(
    have: NDArray[np.int64], whole: NDArray[np.int64], num: int, den: int, out: NDArray[np.uint8]
) -> None: ...
def slacks(
    have: NDArray[np.int64], whole: NDArray[np.int64], num: int, den: int, out: NDArray[np.int64]
) -> None: ...
def as_structs(data: bytes) -> dict[str, tuple[int, dict[str, Any]]]: ...
