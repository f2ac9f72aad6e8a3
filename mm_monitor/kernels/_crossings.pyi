import numpy as np
from numpy.typing import NDArray
from typing_extensions import disjoint_base

@disjoint_base
class Looks:
    def __init__(
        self,
        slots: NDArray[np.void],
        wide: NDArray[np.int64],
        cons: NDArray[np.void],
        longest: int,
        grace: int,
        hole: int,
        looked: NDArray[np.int64],
        due: NDArray[np.int64],
    ) -> None: ...
    def find(self, doubtful: NDArray[np.uint8], t: int, found: NDArray[np.int64]) -> int: ...
    def renew(self, which: NDArray[np.int64]) -> None: ...
