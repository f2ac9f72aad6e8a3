import numpy as np
from numpy.typing import NDArray

def fill_names(
    pool: bytes | NDArray[np.uint8],
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    indices: NDArray[np.int32],
    numbers: NDArray[np.int32],
    cells: NDArray[np.void],
) -> None: ...
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
    rows: NDArray[np.void],
    counts: NDArray[np.int32],
) -> int: ...
def scan_theos(
    data: bytes | NDArray[np.uint8],
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    offsets: NDArray[np.int64],
    part: int,
    contract_cells: NDArray[np.void],
    contract_pool: bytes | NDArray[np.uint8],
    rows: NDArray[np.void],
    counts: NDArray[np.int32],
) -> int: ...
