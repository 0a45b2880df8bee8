"""Parameters as one flat float32 vector with named views.

Gradients and the optimizer's moments use the same layout. Each array is kept in the *storage* shape its kernel likes
best; people see the documented *public* shape. The two differ by a permutation of axes, never by a value.
"""

import hashlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod, sqrt

import numpy as np
from numpy.typing import NDArray

from engine.kernels import choose
from engine.kernels.streams import Purpose, Stream

Vector = NDArray[np.float32]
FLOAT_MIN, FLOAT_MAX = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)  # above 0, in full precision
ALIGNMENT = 64  # bytes: one cache line, one AVX-512 register


@dataclass(frozen=True)
class Spec:
    """One parameter array of a layer.

    `shape` is the public shape. `axes` are the public axes in storage order (empty: stored as shown), so the storage
    shape is `[shape[a] for a in axes]`. `fan_in` is the number of inputs that feed one output. All values begin as
    `initial`; if it is None, they are random.
    """

    name: str
    shape: tuple[int, ...]
    fan_in: int
    axes: tuple[int, ...] = ()
    initial: float | None = None

    @property
    def storage_shape(self) -> tuple[int, ...]:
        """The shape in the flat vector."""
        return tuple(self.shape[a] for a in self.axes) if self.axes else self.shape

    def to_public(self, stored: NDArray[np.float32]) -> NDArray[np.float32]:
        """View `stored` (storage shape) in the public shape."""
        return stored.transpose(np.argsort(self.axes)) if self.axes else stored

    def to_storage(self, public: NDArray[np.float32]) -> NDArray[np.float32]:
        """View `public` (public shape) in the storage shape."""
        return public.transpose(self.axes) if self.axes else public


def aligned(size: int) -> Vector:
    """Return a zeroed float32 vector of `size` elements that starts on a cache line."""
    return zeroed(size * 4).view(np.float32)


def zeroed(size: int) -> NDArray[np.uint8]:
    """Return `size` bytes, all zero, that start on a cache line; MemoryError where there are not so many."""
    if size > sys.maxsize - ALIGNMENT:  # for numpy a wrong argument
        raise MemoryError(f"{size:,} bytes are wanted at once")
    raw = np.zeros(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size]


class Layout:
    """Where each array lives in the flat vector: `specs` by full name ("c2.filter"), in order."""

    def __init__(self, specs: Mapping[str, Spec]) -> None:
        self.specs = dict(specs)
        self.slices: dict[str, slice] = {}
        start = 0
        for name, spec in self.specs.items():
            self.slices[name] = slice(start, start + prod(spec.shape))
            start += prod(spec.shape)
        self.size = start

    @property
    def digest(self) -> str:
        """Hex digest of names, shapes and order: two sides with the same digest mean the same vector."""
        text = ";".join(f"{name}:{spec.shape}:{spec.axes}" for name, spec in self.specs.items())
        return hashlib.sha256(text.encode()).hexdigest()

    def zeros(self) -> Vector:
        """Return a new vector of this layout, all zero, 64-byte aligned."""
        return aligned(self.size)

    def view(self, vector: Vector, name: str) -> NDArray[np.float32]:
        """Return the array `name` inside `vector`, in storage shape."""
        return vector[self.slices[name]].reshape(self.specs[name].storage_shape)

    def public(self, vector: Vector) -> Iterator[tuple[str, NDArray[np.float32]]]:
        """Yield (name, view in public shape) of every array in `vector`."""
        for name, spec in self.specs.items():
            yield name, spec.to_public(self.view(vector, name))

    def fill(self, vector: Vector, arrays: Mapping[str, NDArray[np.float32]]) -> None:
        """Copy `arrays`, by name and in public shape, into `vector`.

        Raises ValueError when a name is missing or unknown, or a shape differs.
        """
        if arrays.keys() != self.specs.keys():
            odd = sorted(arrays.keys() ^ self.specs.keys())
            raise ValueError(f"parameter names differ from the model's: {', '.join(odd)}")
        for name, spec in self.specs.items():
            if arrays[name].shape != spec.shape:
                raise ValueError(f"{name} has shape {arrays[name].shape}; the model wants {spec.shape}")
            self.view(vector, name)[...] = spec.to_storage(arrays[name])

    def sha256(self, vector: Vector) -> str:
        """Hex digest of the arrays sorted by name, each as C-order little-endian float32 in the public shape."""
        digest = hashlib.sha256()
        for _, array in sorted(self.public(vector)):
            digest.update(np.ascontiguousarray(array, "<f4").tobytes())
        return digest.hexdigest()

    def initialise(self, vector: Vector, seed: int) -> None:
        """Fill `vector` with what arrays begin as: uniform values in +-1/sqrt(fan_in), a stream of its own for each."""
        for number, (name, spec) in enumerate(self.specs.items()):
            if spec.initial is not None:
                self.view(vector, name).fill(spec.initial)
                continue
            limit = np.float32(1 / sqrt(spec.fan_in))
            values = Stream(seed, Purpose.PARAMETERS, number).uniform(*spec.shape) * (2 * limit) - limit
            self.view(vector, name)[...] = spec.to_storage(values)


def norm(vector: Vector) -> float:
    """Return the Euclidean norm as float64; it is finite exactly if every value is."""
    return choose().norm(vector)
