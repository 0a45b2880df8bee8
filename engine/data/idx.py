"""IDX files, the format of MNIST: https://yann.lecun.com/exdb/mnist, "the IDX file format".

Two zero bytes, the element type (8 is unsigned byte, the only one read here), the number of dimensions, then
each dimension as a big-endian uint32, then the elements. Files may be gzipped; content decides, not the name.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError

_UBYTE = 8
_TYPES = {9: "int8", 11: "int16", 12: "int32", 13: "float32", 14: "float64"}
_MOST = 1 << 34  # bytes; no data set of small images comes near
_CHUNK = 1 << 20
_DEFLATE_RATIO = 1032  # zlib's documented limit of compression, so a larger claim must be false


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read an IDX file, gzipped or plain, into a uint8 array of 1 to 4 dimensions.

    Raises DataError, naming the file, if it is missing, empty, not IDX, of another element type, damaged, or
    shorter or longer than its header says. Memory grows only with what the file really holds.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as plain:
            start = plain.read(2)
            plain.seek(0)
            if start != b"\x1f\x8b":
                return _parse(path, plain, size)
            with gzip.open(plain) as unpacked:
                return _parse(path, cast(BinaryIO, unpacked), size * _DEFLATE_RATIO)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path}: damaged gzip file ({error}); download it again") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


def read_images(path: Path) -> NDArray[np.uint8]:
    """Read an IDX file of images: uint8 [N, H, W] or [N, H, W, C]; otherwise as `read_idx`."""
    array = read_idx(path)
    if array.ndim == 1:
        raise DataError(f"{path}: holds labels where images are expected; were the two files swapped?")
    if array.ndim == 2:
        raise DataError(f"{path}: holds an array {list(array.shape)}; images need 3 or 4 dimensions")
    return array


def read_labels(path: Path) -> NDArray[np.uint8]:
    """Read an IDX file of labels: uint8 [N]; otherwise as `read_idx`."""
    array = read_idx(path)
    if array.ndim != 1:
        raise DataError(
            f"{path}: holds an array {list(array.shape)}, which looks like images, where labels are expected; "
            "were the two files swapped?"
        )
    return array


def _parse(path: Path, file: BinaryIO, most: int) -> NDArray[np.uint8]:
    """Read header and elements from `file`, which can hold at most `most` bytes."""
    shape = _header(path, file)
    expected = math.prod(shape)
    if expected > min(_MOST, most):
        raise DataError(f"{path}: its header promises an array {list(shape)}, but the file is much too small for that")
    content = bytearray()
    # One byte more than expected is asked for: it finds a file that is too long, and makes gzip check its checksum.
    while chunk := file.read(min(_CHUNK, expected + 1 - len(content))):
        content += chunk
    if len(content) != expected:
        fault = f"only {len(content)} follow; it was cut off" if len(content) < expected else "more follow"
        raise DataError(f"{path}: an array {list(shape)} takes {expected} bytes after the header, but {fault}")
    return np.frombuffer(content, np.uint8).reshape(shape)


def _header(path: Path, file: BinaryIO) -> tuple[int, ...]:
    """Read and check the header; return the dimensions."""
    magic = file.read(4)
    if not magic:
        raise DataError(f"{path}: the file is empty")
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in (_UBYTE, *_TYPES) or not magic[3]:
        raise DataError(f"{path}: not an IDX file (it begins with {magic.hex(' ')}, not with 00 00 08)")
    if magic[2] != _UBYTE:
        raise DataError(f"{path}: its elements are {_TYPES[magic[2]]}; only unsigned bytes (uint8) are read")
    if magic[3] > 4:
        raise DataError(f"{path}: has {magic[3]} dimensions; at most 4 are read")
    sizes = file.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise DataError(f"{path}: cut off within the header")
    return struct.unpack(f">{magic[3]}I", sizes)
