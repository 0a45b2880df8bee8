"""How a data set lies in one safetensors file, byte for byte.

The format (https://huggingface.co/docs/safetensors): header length as little-endian uint64, a JSON header, the arrays.
Ours has one canonical header for one data set, so equal data sets are equal files. Targets come first, those of all
parts, called labels or values: the header is padded to 8 bytes, so they are aligned wherever images of odd sizes end.
Then images or features. Only where there are features or values does the header say what the columns are called.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.data.dataset import PARTS, Dataset, made_of
from engine.data.split import Split
from engine.errors import DataError

_FORMAT = "gradsum-data-1"
_LONGEST_HEADER = 1 << 20
_TYPES = {"labels": "I32", "values": "F32", "images": "U8", "features": "F32"}
_ITEM_SIZE = {"I32": 4, "F32": 4, "U8": 1}
_STORED = {"labels": "<i4", "values": "<f4", "images": "u1", "features": "<f4"}
Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Fields:
    """What a header is made from; the order of `shapes` is that of the arrays."""

    name: str
    classes: tuple[str, ...]
    generated: bool
    shapes: Shapes
    columns: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()

    @classmethod
    def of(cls, dataset: Dataset, shapes: Shapes) -> Fields:
        """Return the fields of a data set whose arrays have these shapes."""
        return cls(dataset.name, dataset.classes, dataset.generated, shapes, dataset.columns, dataset.targets)


def pieces(dataset: Dataset) -> list[memoryview]:
    """Return the file as buffers, as flat bytes, to be written or hashed one after another."""
    asked, unit = dataset.train.asked, "features" if dataset.train.has_features else "images"
    parts = dataset.parts().items()
    arrays: dict[str, NDArray[np.generic]] = {
        f"{name}.{asked}": part.targets.astype(_STORED[asked], copy=False) for name, part in parts
    }
    arrays |= {f"{name}.{unit}": part.inputs.astype(_STORED[unit], copy=False) for name, part in parts}
    header = _header(Fields.of(dataset, {name: array.shape for name, array in arrays.items()}))
    return [memoryview(header)] + [np.ascontiguousarray(array).data.cast("B") for array in arrays.values()]


def streamed(
    name: str,
    classes: tuple[str, ...],
    labels: Mapping[str, NDArray[np.int32]],
    shape: tuple[int, ...],
    images: Iterable[NDArray[np.uint8]],
) -> tuple[int, Iterator[memoryview]]:
    """Return the size of a file, and its bytes as they are made: `labels` of each part, then all images.

    `labels` are by the names of parts, as `Dataset.parts` orders them. `images` come in blocks [n, *shape] with `shape`
    (H, W, C), those of the training part first.
    """
    stored = {part: numbers.astype("<i4") for part, numbers in labels.items()}
    shapes: Shapes = {f"{part}.labels": numbers.shape for part, numbers in stored.items()}
    shapes |= {f"{part}.images": (len(numbers), *shape) for part, numbers in stored.items()}
    header = _header(Fields(name, classes, False, shapes))
    size = len(header) + sum(part.nbytes + len(part) * math.prod(shape) for part in stored.values())

    def made() -> Iterator[memoryview]:
        yield memoryview(header)
        yield from (part.data.cast("B") for part in stored.values())
        for block in images:
            yield np.ascontiguousarray(block).data.cast("B")

    return size, made()


def parse(content: NDArray[np.uint8], path: Path) -> Dataset:
    """Return the data set in the bytes `content` of the file `path`; its arrays are views into `content`.

    Raises DataError if the header is not to the byte what `pieces` would write, or the length does not fit it.
    """
    header, plain = _read_header(content, path)
    fields = _fields(plain, path)
    if header != _header(fields):
        raise DataError(f"{path}: its header is not one of gradsum's; delete the file")
    arrays: dict[str, NDArray[np.generic]] = {}
    start = len(header)
    for key, shape in fields.shapes.items():
        size = math.prod(shape) * _ITEM_SIZE[_type_of(key)]
        piece = content[start : start + size]
        if len(piece) == size:
            arrays[key] = piece.view(_STORED[_kind(key)]).reshape(shape)
        start += size
    if start != len(content):
        raise DataError(f"{path}: {len(content)} bytes long where its header promises {start}; delete the file")
    parts = {part: _split(arrays, part) for part in PARTS if any(key.startswith(f"{part}.") for key in arrays)}
    f = fields
    return made_of(f.name, f.classes, parts, generated=f.generated, columns=f.columns, targets=f.targets)


def _split(arrays: dict[str, NDArray[np.generic]], part: str) -> Split:
    """Return a part; in the byte order of this machine, which is that of the file on all that are known."""
    targets, inputs = (array for key, array in arrays.items() if key.startswith(f"{part}."))
    kinds = {"i": np.int32, "f": np.float32, "u": np.uint8}
    return Split(*(array.astype(kinds[array.dtype.kind], copy=False) for array in (inputs, targets)))


def _kind(key: str) -> str:
    return key.partition(".")[2]


def _type_of(key: str) -> str:
    return _TYPES[_kind(key)]


def _header(of: Fields) -> bytes:
    """Return the length and the JSON header, padded with blanks to a multiple of 8 as safetensors itself does."""
    metadata = {
        "format": _FORMAT,
        "name": of.name,
        "classes": json.dumps(of.classes),
        "generated": json.dumps(of.generated),
    }
    if {_kind(key) for key in of.shapes} != {"labels", "images"}:
        metadata |= {"columns": json.dumps(of.columns), "targets": json.dumps(of.targets)}
    fields: dict[str, object] = {"__metadata__": metadata}
    start = 0
    for key, shape in of.shapes.items():
        end = start + math.prod(shape) * _ITEM_SIZE[_type_of(key)]
        fields[key] = {"dtype": _type_of(key), "shape": list(shape), "data_offsets": [start, end]}
        start = end
    text = json.dumps(fields, separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % 8)
    if len(text) > _LONGEST_HEADER:
        what = f"{len(of.columns)} columns" if of.columns else f"{len(of.classes)} classes"
        raise DataError(f"{of.name}: its name and the names of its {what} are too long")
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


def _fields(plain: object, path: Path) -> Fields:
    """Pick from the header what `_header` makes it from."""
    try:
        match plain:
            case {
                "__metadata__": {"name": str(name), "classes": str(classes), "generated": str(generated)} as said,
                **arrays,
            }:
                asked = "values" if "train.values" in arrays else "labels"
                unit = "features" if "train.features" in arrays else "images"
                there = [part for part in PARTS if part != "validation" or f"{part}.{unit}" in arrays]
                order = [f"{part}.{kind}" for kind in (asked, unit) for part in there]
                shapes = {key: tuple(_shape(arrays[key])) for key in order}
                columns, targets = _names(said.get("columns", "[]")), _names(said.get("targets", "[]"))
                return Fields(name, _names(classes), generated == "true", shapes, columns, targets)
    except (KeyError, TypeError, ValueError, RecursionError):
        pass
    raise DataError(f"{path}: a safetensors file, but not one that holds a data set; delete it")


def _names(text: str) -> tuple[str, ...]:
    return tuple(str(name) for name in json.loads(text))


def _shape(field: object) -> list[int]:
    match field:
        case {"shape": list(shape)} if all(isinstance(size, int) and 0 < size < 1 << 40 for size in shape):
            return shape
    raise ValueError(field)
