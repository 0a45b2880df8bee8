"""Writes IDX files, which the engine only reads."""

import gzip
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

UBYTE = 8  # the element type


def write_idx(path: Path, array: NDArray[np.uint8]) -> None:
    """Write a uint8 array of 1 to 4 dimensions as IDX, gzipped if `path` ends in .gz; the same bytes every time."""
    assert array.dtype == np.uint8, array.dtype
    content = bytes([0, 0, UBYTE, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
