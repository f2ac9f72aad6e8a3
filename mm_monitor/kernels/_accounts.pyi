import numpy as np
from numpy.typing import NDArray

def fold_accounts(
    rows: NDArray[np.void],
    wanted: NDArray[np.uint8],
    quotes: NDArray[np.void],
    own: NDArray[np.int32],
    place: NDArray[np.int32],
    first: NDArray[np.int32],
    members: NDArray[np.int32],
    best: bool,
) -> None: ...
