"""How a data set lies in one safetensors file, byte for byte.

The format (https://huggingface.co/docs/safetensors): header length as little-endian uint64, a JSON header, the arrays.
Ours has one canonical header for one data set, so equal data sets are equal files. Labels come first: the header is
padded to 8 bytes, so int32 is aligned wherever images of odd sizes end.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.data.dataset import Dataset, Split
from engine.errors import DataError

_FORMAT = "gradsum-data-1"
_LONGEST_HEADER = 1 << 20
_ITEM_SIZE = {"I32": 4, "U8": 1}
Shapes = dict[str, tuple[int, ...]]


def pieces(dataset: Dataset) -> list[memoryview]:
    """Return the file as buffers, as flat bytes, to be written or hashed one after another."""
    arrays: dict[str, NDArray[np.int32] | NDArray[np.uint8]] = {
        "train.labels": dataset.train.labels.astype("<i4", copy=False),
        "test.labels": dataset.test.labels.astype("<i4", copy=False),
        "train.images": dataset.train.images,
        "test.images": dataset.test.images,
    }
    shapes: Shapes = {name: array.shape for name, array in arrays.items()}
    header = header_of(dataset.name, dataset.classes, dataset.generated, shapes)
    return [memoryview(header)] + [np.ascontiguousarray(array).data.cast("B") for array in arrays.values()]


def streamed(
    name: str,
    classes: tuple[str, ...],
    labels: tuple[NDArray[np.int32], NDArray[np.int32]],
    shape: tuple[int, ...],
    images: Iterable[NDArray[np.uint8]],
) -> tuple[int, Iterator[memoryview]]:
    """Return the size of a file, and its bytes as they are made: `labels` of training and test part, then all images.

    `images` come in blocks [n, *shape] with `shape` (H, W, C), those of the training part first.
    """
    train, test = (part.astype("<i4") for part in labels)
    shapes: Shapes = {
        "train.labels": train.shape,
        "test.labels": test.shape,
        "train.images": (len(train), *shape),
        "test.images": (len(test), *shape),
    }
    header = header_of(name, classes, False, shapes)
    size = len(header) + train.nbytes + test.nbytes + (len(train) + len(test)) * math.prod(shape)

    def made() -> Iterator[memoryview]:
        yield from (memoryview(header), train.data.cast("B"), test.data.cast("B"))
        for block in images:
            yield np.ascontiguousarray(block).data.cast("B")

    return size, made()


def parse(content: NDArray[np.uint8], path: Path) -> Dataset:
    """Return the data set in the bytes `content` of the file `path`; its arrays are views into `content`.

    Raises DataError if the header is not to the byte what `pieces` would write, or the length does not fit it.
    """
    header, fields = _read_header(content, path)
    name, classes, generated, shapes = _fields(fields, path)
    if header != header_of(name, classes, generated, shapes):
        raise DataError(f"{path}: its header is not one of gradsum's; delete the file")
    arrays, start = {}, len(header)
    for key, shape in shapes.items():
        size = math.prod(shape) * _ITEM_SIZE[_type_of(key)]
        arrays[key] = content[start : start + size], shape
        start += size
    if start != len(content):
        raise DataError(f"{path}: {len(content)} bytes long where its header promises {start}; delete the file")
    return Dataset(name, classes, _split(arrays, "train"), _split(arrays, "test"), generated)


def _split(arrays: dict[str, tuple[NDArray[np.uint8], tuple[int, ...]]], part: str) -> Split:
    labels, _ = arrays[f"{part}.labels"]
    images, shape = arrays[f"{part}.images"]
    return Split(images.reshape(shape), labels.view("<i4").astype(np.int32, copy=False))


def _type_of(key: str) -> str:
    return "I32" if key.endswith("labels") else "U8"


def header_of(name: str, classes: tuple[str, ...], generated: bool, shapes: Shapes) -> bytes:
    """Return the length and the JSON header, padded with blanks to a multiple of 8 as safetensors itself does."""
    metadata = {"format": _FORMAT, "name": name, "classes": json.dumps(classes), "generated": json.dumps(generated)}
    fields: dict[str, object] = {"__metadata__": metadata}
    start = 0
    for key, shape in shapes.items():
        end = start + math.prod(shape) * _ITEM_SIZE[_type_of(key)]
        fields[key] = {"dtype": _type_of(key), "shape": list(shape), "data_offsets": [start, end]}
        start = end
    text = json.dumps(fields, separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % 8)
    if len(text) > _LONGEST_HEADER:
        raise DataError(f"{name}: its name and the names of its {len(classes)} classes are too long")
    return struct.pack("<Q", len(text)) + text


def _read_header(content: NDArray[np.uint8], path: Path) -> tuple[bytes, object]:
    """Return the header as it stands in the file, its length included, and what its JSON says."""
    (length,) = struct.unpack("<Q", content[:8].tobytes().ljust(8, b"\0"))
    if not 0 < length <= min(_LONGEST_HEADER, len(content) - 8):
        raise DataError(f"{path}: not a whole safetensors file; delete it")
    header = content[: 8 + length].tobytes()
    try:
        return header, json.loads(header[8:])
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: its header is not JSON ({error}); delete the file") from error


def _fields(fields: object, path: Path) -> tuple[str, tuple[str, ...], bool, Shapes]:
    """Pick from the header what `header_of` makes it from: name, classes, generated, shapes."""
    try:
        match fields:
            case {"__metadata__": {"name": str(name), "classes": str(classes), "generated": str(generated)}, **rest}:
                shapes = {key: tuple(_shape(rest[key])) for key in _ORDER}
                return name, tuple(str(c) for c in json.loads(classes)), generated == "true", shapes
    except (KeyError, TypeError, ValueError, RecursionError):
        pass
    raise DataError(f"{path}: a safetensors file, but not one that holds a data set; delete it")


def _shape(field: object) -> list[int]:
    match field:
        case {"shape": list(shape)} if all(isinstance(size, int) and 0 < size < 1 << 40 for size in shape):
            return shape
    raise ValueError(field)


_ORDER = ("train.labels", "test.labels", "train.images", "test.images")
