import numpy as np
from numpy.typing import NDArray

def packed_layout() -> dict[str, dict[str, int]]: ...
def decode_quotes(
    data: bytes | NDArray[np.uint8],
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    offsets: NDArray[np.int64],
    part: int,
    maker_keys: NDArray[np.uint32],
    maker_values: NDArray[np.int32],
    contract_keys: NDArray[np.uint32],
    contract_values: NDArray[np.int32],
    ticks: NDArray[np.int64],
    rows: NDArray[np.void],
    codes: NDArray[np.uint8],
    counts: NDArray[np.int32],
    named: NDArray[np.uint8],
) -> tuple[int, int, int, int, int, int]: ...
def decode_theos(
    data: bytes | NDArray[np.uint8],
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    offsets: NDArray[np.int64],
    part: int,
    contract_keys: NDArray[np.uint32],
    contract_values: NDArray[np.int32],
    rows: NDArray[np.void],
    codes: NDArray[np.uint8],
    counts: NDArray[np.int32],
    named: NDArray[np.uint8],
) -> tuple[int, int, int, int, int, int]: ...
def check_quotes(
    rows: NDArray[np.void], ticks: NDArray[np.int64], codes: NDArray[np.uint8]
) -> int: ...
def check_theos(rows: NDArray[np.void], codes: NDArray[np.uint8]) -> int: ...
