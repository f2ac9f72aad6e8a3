from typing import Any

import numpy as np
from numpy.typing import NDArray

def as_structs(data: bytes) -> dict[str, tuple[int, dict[str, Any]]]: ...
def crc32c(data: bytes | NDArray[np.uint8], hardware: bool = True) -> int: ...
def find_batches(
    data: bytes | NDArray[np.uint8],
    cursor: NDArray[np.int64],
    aborted: NDArray[np.int64],
    active: NDArray[np.int64],
    most: int,
    batches: NDArray[np.void],
) -> tuple[int, int]: ...
def read_records(
    data: bytes | NDArray[np.uint8],
    batches: NDArray[np.void],
    next_offset: int,
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    offsets: NDArray[np.int64],
    stamps: NDArray[np.int64],
) -> tuple[int, int]: ...
