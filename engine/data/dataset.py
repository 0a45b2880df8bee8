"""What a data set is: images as bytes, labels as small integers, and the normalisation that follows from them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError

_CHUNK = 1 << 18  # pixels a histogram call: bincount widens them to int64, which should stay in the cache


@dataclass(frozen=True, eq=False)
class Split:
    """Samples that belong together: `images` uint8 [N, H, W, C] and `labels` int32 [N], both N >= 1.

    Raises DataError if types or shapes are not these, or if a label is negative.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int32]

    def __post_init__(self) -> None:
        if self.images.dtype != np.uint8 or self.images.ndim != 4:
            raise DataError(f"images must be uint8 [N, H, W, C], not {self.images.dtype} {list(self.images.shape)}")
        if self.labels.dtype != np.int32 or self.labels.ndim != 1:
            raise DataError(f"labels must be int32 [N], not {self.labels.dtype} {list(self.labels.shape)}")
        if len(self.images) != len(self.labels):
            raise DataError(
                f"{len(self.images)} images but {len(self.labels)} labels: they must be as many; "
                "check that both files are of the same data set"
            )
        if self.images.size == 0:
            raise DataError(f"no pixels: the images have the shape {list(self.images.shape)}; at least one is needed")
        if self.labels.min() < 0:
            at = int(self.labels.argmin())
            raise DataError(f"label {self.labels[at]} at index {at} is negative; labels count from 0")

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"Split({len(self)} images of {'x'.join(map(str, self.images.shape[1:]))})"


@dataclass(frozen=True, eq=False)
class Dataset:
    """A named data set: `train` and `test` with the same H, W, C; label k means `classes[k]`.

    `generated` says that the images were made by a program rather than collected. Two more fields are not content,
    so the digest does not depend on them: `notes`, what a person should know of how the data was read, and `scaled`,
    whether pictures of other sizes were scaled to this one.
    Raises DataError if the two parts differ in shape, or if a label has no class.
    """

    name: str
    classes: tuple[str, ...]
    train: Split
    test: Split
    generated: bool = False
    notes: tuple[str, ...] = ()
    scaled: bool = False

    def __post_init__(self) -> None:
        for given in (self.train, self.test):
            if not isinstance(given, Split):
                raise DataError(
                    f"{self.name}: its parts must be Split, not {type(given).__name__}; load_data(((X, y), (Xt, yt))) "
                    "makes a data set of arrays"
                )
        train, test = self.train.images.shape[1:], self.test.images.shape[1:]
        if train != test:
            raise DataError(
                f"{self.name}: training images are {list(train)} but test images {list(test)} (H, W, C); "
                "both must have the same size"
            )
        for part, labels in (("train", self.train.labels), ("test", self.test.labels)):
            at = int(labels.argmax())
            if labels[at] >= len(self.classes):
                raise DataError(
                    f"{self.name}: {part} label {labels[at]} at index {at} has no class: "
                    f"there are {len(self.classes)}, numbered from 0"
                )

    def __repr__(self) -> str:
        return f"Dataset({self.name!r}, {len(self.classes)} classes, train={self.train}, test={self.test})"

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C) of every image."""
        _, height, width, channels = self.train.images.shape
        return height, width, channels


@dataclass(frozen=True)
class Normalisation:
    """Per channel, the mean and the standard deviation (of the population) of the pixels, both in byte units 0..255.

    Computed in integers and rounded once at the end, so no order of summation can change a bit of them.
    The deviation of a channel with a single value is 1, so that it normalises to 0 and not to 0/0.
    Raises DataError unless all are finite and every deviation is above 0.
    """

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    def __post_init__(self) -> None:
        finite = all(map(math.isfinite, (*self.mean, *self.deviation)))
        if not finite or len(self.mean) != len(self.deviation) or not all(d > 0 for d in self.deviation):
            raise DataError(f"not a normalisation: mean {self.mean}, deviation {self.deviation}")

    @classmethod
    def of(cls, images: NDArray[np.uint8]) -> Normalisation:
        """Measure `images`, uint8 [N, H, W, C]; var = (n * sum of squares - square of the sum) / n^2, exactly."""
        means, deviations = [], []
        for histogram in _histograms(images):
            n = sum(histogram)
            total = sum(value * count for value, count in enumerate(histogram))
            squares = sum(value * value * count for value, count in enumerate(histogram))
            means.append(total / n)
            deviations.append(math.sqrt(n * squares - total * total) / n or 1.0)
        return cls(tuple(means), tuple(deviations))

    @cached_property
    def table(self) -> NDArray[np.float32]:
        """The normalised value of every byte in every channel, float32 [C, 256]."""
        mean, deviation = np.array(self.mean)[:, None], np.array(self.deviation)[:, None]
        values: NDArray[np.float64] = (np.arange(256.0) - mean) / deviation
        return values.astype(np.float32)

    def apply(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Normalise `images`, uint8 [N, H, W, C], to float32 of the same shape; DataError if C differs."""
        if images.shape[-1] != len(self.mean):
            raise DataError(f"images with {images.shape[-1]} channels, but the normalisation has {len(self.mean)}")
        if len(self.mean) == 1:
            return np.take(self.table[0], images)
        return np.stack([np.take(row, images[..., c]) for c, row in enumerate(self.table)], axis=-1)


def _histograms(images: NDArray[np.uint8]) -> list[list[int]]:
    """Count every byte value in every channel, as Python integers [C][256]."""
    channels = images.shape[-1]
    counts = np.zeros((channels, 256), np.int64)
    pixels = images.reshape(-1, channels)
    for start in range(0, len(pixels), _CHUNK):
        for channel in range(channels):
            counts[channel] += np.bincount(pixels[start : start + _CHUNK, channel], minlength=256)
    return [[int(count) for count in row] for row in counts]
