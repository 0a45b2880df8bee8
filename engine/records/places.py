"""Where each array of a model is in a snapshot: shared by those who write chunks and those who read them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from engine.records.snapshot_tables import CHUNK

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Place:
    """One array: `pos` of its first value and `chunk`, its first, counted through the model; the matrices it is made
    of, of `rows` by `cols`. `name` is the layer, `subname` the array in it.
    """

    name: str
    subname: str
    shape: Shape
    pos: int
    chunk: int
    rows: int
    cols: int

    @property
    def size(self) -> int:
        """The number of values."""
        return prod(self.shape)

    @property
    def matrices(self) -> int:
        """The number of matrices."""
        return self.size // (self.rows * self.cols)

    def row(self, start_id: int, batchno: int) -> tuple[object, ...]:
        """Return the array's row in `snapshots`."""
        shape = json.dumps(self.shape)
        more = (shape, self.pos, self.chunk, self.matrices, self.rows, self.cols)
        return (start_id, batchno, self.name, self.subname, *more)


def places(shapes: Mapping[str, Shape]) -> dict[str, Place]:
    """Return the place of every array of a model, given by full name ("c2.filter") in the model's order."""
    found: dict[str, Place] = {}
    images = {name.partition(".")[0] for name, shape in shapes.items() if len(shape) > 2}
    pos = chunk = 0
    for full, shape in shapes.items():
        layer, _, array = full.partition(".")
        rows, cols = _matrix(shape, layer in images)
        place = found[full] = Place(layer, array, shape, pos, chunk, rows, cols)
        pos, chunk = pos + place.size, chunk + -(-place.size // CHUNK)
    return found


def _matrix(shape: Shape, of_images: bool) -> tuple[int, int]:
    """Return (rows, columns): a dense layer's bias is a column; a convolution's is a matrix of one value an output."""
    if len(shape) >= 2:
        return shape[-2], shape[-1]
    return (1, 1) if of_images or not shape else (shape[0], 1)
