import numpy as np
from numpy.typing import NDArray

def price_columns(
    model: int,
    sign: NDArray[np.int8],
    spot: NDArray[np.float64],
    strike: NDArray[np.float64],
    years: NDArray[np.float64],
    rate: NDArray[np.float64],
    carry: NDArray[np.float64],
    vol: NDArray[np.float64],
    price: NDArray[np.float64],
    delta: NDArray[np.float64],
) -> None: ...
def vol_columns(
    model: int,
    sign: NDArray[np.int8],
    spot: NDArray[np.float64],
    strike: NDArray[np.float64],
    years: NDArray[np.float64],
    rate: NDArray[np.float64],
    carry: NDArray[np.float64],
    price: NDArray[np.float64],
    vol: NDArray[np.float64],
) -> None: ...
