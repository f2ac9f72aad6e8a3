import numpy as np
from numpy.typing import NDArray

def scan_quotes(
    data: bytes | NDArray[np.uint8],
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    offsets: NDArray[np.int64],
    part: int,
    maker_cells: NDArray[np.void],
    maker_pool: bytes | NDArray[np.uint8],
    contract_cells: NDArray[np.void],
    contract_pool: bytes | NDArray[np.uint8],
    ticks: NDArray[np.int64],
    maker_tag: int,
    contract_tag: int,
    role: int,
    rows: NDArray[np.void],
    counts: NDArray[np.int32],
) -> int: ...
