from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import disjoint_base

@disjoint_base
class Messages:
    def __init__(
        self,
        parties: NDArray[np.void],
        standing: NDArray[np.void],
        sums: NDArray[np.void],
        queue: NDArray[np.void],
        ring: NDArray[np.int64],
        slot0: NDArray[np.int32],
        cls: NDArray[np.int32],
        group: NDArray[np.int32],
        rank: NDArray[np.int32],
        makers: int,
        groups: int,
        slots: int,
    ) -> None: ...

def count_messages(w: Messages, rows: NDArray[np.void], start: int) -> int: ...
def count_quotes(rows: NDArray[np.void], counts: NDArray[np.int64]) -> None: ...
def as_structs(data: bytes) -> dict[str, tuple[int, dict[str, Any]]]: ...
