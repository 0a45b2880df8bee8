"""The normalisation that follows from a training part: of pixels, of features, and of targets that are values."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.kernels import choose

Inputs = NDArray[np.uint8] | NDArray[np.float32]
_CHUNK = 1 << 16  # pixels that are widened to float64 at a time, which should stay in the cache
_ROWS = 1 << 14  # of features that are widened to float64 at a time


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation (of the population): of the bytes of each channel, 0..255, or of each column.

    No order of summation can change a bit of them. Those of bytes are computed in integers and rounded once at the end;
    those of columns with `math.fsum`, which rounds a sum of float64 once: first the mean, then the squares of the
    differences from it. The deviation of what has a single value is 1, so that it normalises to 0 and not to 0/0.
    Raises DataError unless all are finite and every deviation is above 0.
    """

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    def __post_init__(self) -> None:
        finite = all(map(math.isfinite, (*self.mean, *self.deviation)))
        if not finite or len(self.mean) != len(self.deviation) or not all(d > 0 for d in self.deviation):
            raise DataError(f"not a normalisation: mean {self.mean}, deviation {self.deviation}")

    @classmethod
    def of(cls, values: Inputs, rows: NDArray[np.int64] | None = None) -> Normalisation:
        """Measure images, uint8 [N, H, W, C], or columns of values, float32 [N, D], finite; all, or those of `rows`."""
        if values.dtype == np.uint8:
            return cls._of_bytes(values.view(np.uint8), rows)
        chosen = slice(None) if rows is None else rows
        columns = [moments(values[chosen, column].view(np.float32)) for column in range(values.shape[1])]
        return cls(tuple(mean for mean, _ in columns), tuple(math.sqrt(square) or 1.0 for _, square in columns))

    @classmethod
    def _of_bytes(cls, images: NDArray[np.uint8], rows: NDArray[np.int64] | None) -> Normalisation:
        """Let var = (n * sum of squares - square of the sum) / n^2, exactly."""
        count, totals, squares = _sums(images, rows)
        means = tuple(total / count for total in totals)
        both = zip(totals, squares, strict=True)
        return cls(means, tuple(math.sqrt(count * square - total * total) / count or 1.0 for total, square in both))

    @cached_property
    def table(self) -> NDArray[np.float32]:
        """The normalised value of every byte in every channel, float32 [C, 256]."""
        mean, deviation = np.array(self.mean)[:, None], np.array(self.deviation)[:, None]
        values: NDArray[np.float64] = (np.arange(256.0) - mean) / deviation
        return values.astype(np.float32)

    def apply(self, values: Inputs) -> NDArray[np.float32]:
        """Normalise images, uint8 [N, H, W, C], or columns, float32 [N, D]; DataError if C or D differs.

        A column is computed in float64 and rounded once to float32, as the values of bytes are.
        """
        if values.shape[-1] != len(self.mean):
            what = "images with {} channels" if values.dtype == np.uint8 else "{} columns"
            raise DataError(f"{what.format(values.shape[-1])}, but the normalisation has {len(self.mean)}")
        if values.dtype != np.uint8:
            with np.errstate(over="ignore"):  # what is too large for float32 is noticed by its loss
                return ((values.astype(np.float64) - self._row.mean) / self._row.deviation).astype(np.float32)
        images = np.ascontiguousarray(values.view(np.uint8))
        out = np.empty(images.shape, np.float32)
        choose().translate(images.reshape(-1, len(self.mean)), self.table, out.reshape(-1, len(self.mean)))
        return out

    def undo(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return normalised columns, float32 [N, D], in their own units again, float64."""
        restored: NDArray[np.float64] = values.astype(np.float64) * self._row.deviation + self._row.mean
        return restored

    @cached_property
    def _row(self) -> _Row:
        return _Row(np.array(self.mean), np.array(self.deviation))


@dataclass(frozen=True)
class _Row:
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]


def moments(column: NDArray[np.float32]) -> tuple[float, float]:
    """Return mean and variance (of the population) of values [N], finite; exactly 0 if all are the same."""
    if column.min() == column.max():
        return float(column[0]), 0.0  # their mean may round to another number
    mean = math.fsum(_numbers(column, 0.0, 1)) / len(column)
    return mean, math.fsum(_numbers(column, mean, 2)) / len(column)


def _numbers(column: NDArray[np.float32], origin: float, power: int) -> Iterator[float]:
    """Yield (x - origin)^power in float64 of every value."""
    for start in range(0, len(column), _ROWS):
        some = column[start : start + _ROWS].astype(np.float64) - origin
        yield from (some * some if power == 2 else some).tolist()


def _sums(images: NDArray[np.uint8], rows: NDArray[np.int64] | None) -> tuple[int, list[int], list[int]]:
    """Return the number of pixels, and for each channel the sum of their values and of their squares, all exact.

    Those of some pixels are computed in float64, in whatever order: all are integers far below 2^53.
    """
    count, totals, squares = 0, [0] * images.shape[-1], [0] * images.shape[-1]
    for pixels in _pixels(images, rows):
        count += len(pixels)
        for channel, values in enumerate(pixels.T.astype(np.float64, order="C")):
            totals[channel] += int(values.sum())
            squares[channel] += int(values @ values)
    return count, totals, squares


def _pixels(images: NDArray[np.uint8], rows: NDArray[np.int64] | None) -> Iterator[NDArray[np.uint8]]:
    """Yield the pixels [n, C] of all images, or of those with the numbers `rows`, some at a time."""
    channels = images.shape[-1]
    if rows is None:
        pixels = images.reshape(-1, channels)
        for start in range(0, len(pixels), _CHUNK):
            yield pixels[start : start + _CHUNK]
        return
    at_once = max(1, _CHUNK // max(1, images.shape[1] * images.shape[2]))
    for start in range(0, len(rows), at_once):
        yield images[rows[start : start + at_once]].reshape(-1, channels)
