"""The built-in data set: 26 letters, small and capital, drawn by a program that imitates handwriting.

It has the shape of EMNIST letters (Cohen, Afshar, Tapson and van Schaik, 2017): white on black, 28 x 28, the two cases
of a letter in one class. A letter is a form from `strokes`, distorted (`distortion`) and drawn with a pen (`raster`).
"""

from __future__ import annotations

import string

import numpy as np
from numpy.typing import NDArray

from engine.data import cache
from engine.data.dataset import Dataset
from engine.data.distortion import Style, distort
from engine.data.raster import SIDE, Floats, blurred, draw
from engine.data.split import Split
from engine.data.strokes import Glyphs, glyphs
from engine.errors import DataError
from engine.kernels.streams import Purpose, Stream

VERSION = 1  # of the images made for a seed; to be raised when a single byte of them changes
TRAIN, TEST, SEED = 20_000, 4_000, 1

_CHUNK = 500  # letters that share a random stream
_STYLE = Style()
# In pixels: half the pen's width, the letter's longer side, the way from ink to paper, the shift off the centre.
_RADIUS, _SIDE, _SOFTNESS, _SHIFT = (0.6, 1.6), (17.5, 20.5), (0.8, 1.8), 0.7
_PRESSURE = 0.25  # how much thicker or thinner the pen gets towards the ends


def generate(count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Draw `count` letters: images uint8 [count, 28, 28, 1] and labels int32 [count], 0 for a to 25 for z.

    Letter i depends on (seed, i) alone, so a longer list begins with the shorter one. The same bytes come out on
    every machine. Raises DataError for a count below 1 or a seed outside 0 .. 2^63 - 1.
    """
    if count < 1:
        raise DataError(f"{count} letters cannot be generated; at least 1 is needed")
    if not 0 <= seed < 1 << 63:
        raise DataError(f"seed {seed}: it must be from 0 to 2^63 - 1")
    chunks = [_chunk(seed, number) for number in range(-(-count // _CHUNK))]
    images = np.concatenate([images for images, _ in chunks])[:count]
    labels = np.concatenate([labels for _, labels in chunks])[:count]
    return images[..., None], labels


def letters(train: int = TRAIN, test: int = TEST, seed: int = SEED) -> Dataset:
    """Return the data set "letters": of one list of letters the first `train`, then `test` for testing."""
    images, labels = generate(train + test, seed)
    return Dataset(
        name="letters",
        classes=tuple(string.ascii_lowercase),
        train=Split(images[:train], labels[:train]),
        test=Split(images[train:], labels[train:]),
        generated=True,
    )


def cached_letters(train: int = TRAIN, test: int = TEST, seed: int = SEED) -> Dataset:
    """Return `letters` from the data cache, where it is put at the first call; DataError if it cannot be written."""
    key = f"letters-{train}-{test}-{seed}-v{VERSION}"
    digest = cache.remembered(key)
    if digest is None:
        digest = cache.store(letters(train, test, seed))
        cache.remember(key, digest)
    return cache.open_cached(digest)


def _chunk(seed: int, number: int) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Draw letters number * 500 .. number * 500 + 499."""
    random = Stream(seed, Purpose.LETTERS, number)
    forms = glyphs()
    labels = (26 * random.doubles(_CHUNK)).astype(np.int32)
    chosen = _choose(forms, labels, random.doubles(_CHUNK))
    points = _placed(distort(forms, chosen, random, _STYLE), random)
    stroke = forms.stroke[chosen]
    inside = np.arange(1, stroke.shape[1]) < forms.count[chosen][:, None]
    return _inked(points, inside & (stroke[:, 1:] == stroke[:, :-1]), random), labels


def _choose(forms: Glyphs, labels: NDArray[np.int32], chance: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return for each label one of its forms: the first whose cumulative chance is above `chance`, in 0 .. 1."""
    # Letter k's chances, shifted by k, make one ascending list.
    letter = np.repeat(np.arange(26), np.diff(forms.starts))
    found = np.searchsorted(forms.cumulative + letter, chance + labels, side="right")
    return np.minimum(found, forms.starts[labels + 1] - 1)


def _placed(points: Floats, random: Stream) -> Floats:
    """Scale and move the points [n, P, 2] into the image: the longer side as _SIDE says, the middle off by _SHIFT."""
    low, high = points.min(1, keepdims=True), points.max(1, keepdims=True)
    even = random.uniform(3, len(points), 1, 1)
    side = _between(_SIDE, even[0])
    extent = np.maximum((high - low).max(2, keepdims=True), np.float32(0.1))
    off_centre = np.float32(_SHIFT) * (2 * np.concatenate([even[1], even[2]], 2) - 1)
    placed: Floats = (points - (low + high) / 2) * (side / extent) + off_centre + np.float32((SIDE - 1) / 2)
    return placed


def _inked(points: Floats, pen_down: NDArray[np.bool_], random: Stream) -> NDArray[np.uint8]:
    """Draw with a pen of random width, whose pressure changes along the way, and of random softness; [n, 28, 28]."""
    n, segments = pen_down.shape
    even = random.uniform(5, n, 1, 1)
    way = (2 * np.arange(segments) / (segments - 1) - 1).astype(np.float32)
    radius = _between(_RADIUS, even[0, :, 0]) * (1 + np.float32(_PRESSURE) * (2 * even[1, :, 0] - 1) * way)
    depth = draw(points, pen_down, radius)
    grey = np.clip(depth / _between(_SOFTNESS, even[2]) + np.float32(0.5), 0, 1)
    grey += even[3] * (blurred(grey) - grey)
    brightest = np.maximum(grey.max((1, 2), keepdims=True), np.float32(0.2))
    grey *= (255 - 55 * even[4] * even[4]) / brightest
    inked: NDArray[np.uint8] = np.rint(np.minimum(grey, 255)).astype(np.uint8)
    return inked


def _between(limits: tuple[float, float], even: Floats) -> Floats:
    low, high = np.float32(limits[0]), np.float32(limits[1])
    return low + (high - low) * even
