"""The kinds of arrays and numbers that operations take."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Doubles = NDArray[np.float64]
Counts = NDArray[np.int64]
Labels = NDArray[np.int32]
Mask = NDArray[np.bool_]
Words = NDArray[np.uint64]
Key = tuple[int, int]
Counter = tuple[int, int, int, int]
Place = tuple[int, int]
Size = tuple[int, int]  # rows, columns
Route = NDArray[Any]  # unsigned integers: the number, in reading order, of the value that won its pool window
