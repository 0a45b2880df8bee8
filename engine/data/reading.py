"""Images that a trained network is asked about: files of pictures, and of arrays."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from engine.data.background import background, nearest
from engine.data.dataset import Dataset
from engine.data.normalisation import Normalisation
from engine.data.picture import Form, facts, read, strict
from engine.errors import DataError

if TYPE_CHECKING:
    from engine.data.picture import Encoded

# What numpy raises for damaged arrays.
DAMAGED = (
    *(OSError, ValueError, SyntaxError, EOFError, TypeError, LookupError, TokenError, struct.error),
    *(OverflowError, MemoryError),  # where a header promises more than there can be
)


@dataclass(frozen=True)
class Manner:
    """How a network is used to see pictures: on which background, and whether scaled to its size."""

    background: tuple[int, ...]
    scaled: bool = False

    @classmethod
    def of(cls, data: Dataset) -> Manner:
        """Return how the pictures of a training set look."""
        return cls(background(data.train), data.scaled)

    @classmethod
    def stored(cls, kept: Mapping[str, Any], normalisation: Normalisation) -> Manner:
        """Return what `asdict` gave a checkpoint; older ones have nothing, so the background is black or white."""
        fallback = nearest(normalisation.mean)
        colour = kept.get("background")
        if not isinstance(colour, list) or len(colour) != len(fallback) or any(v not in range(256) for v in colour):
            return cls(fallback, kept.get("scaled") is True)
        return cls(tuple(colour), kept.get("scaled") is True)

    def inverted(self) -> Manner:
        """Return how pictures look before dark and light are exchanged."""
        return Manner(tuple(255 - value for value in self.background), self.scaled)


def read_images(path: Path, shape: tuple[int, int, int], manner: Manner | None = None) -> NDArray[np.uint8]:
    """Return the image, or images, in a file as uint8 [N, *shape]; DataError if there are none, or of other shape.

    A picture becomes what it would have become in training, as `manner` says; by default on black, and not scaled.
    """
    try:
        images = _read_array(path, shape) if path.suffix == ".npy" else _read_picture(path, shape, manner)
    except FileNotFoundError:
        raise DataError(f"image {path} does not exist") from None
    except DAMAGED as error:
        raise DataError(f"{path} cannot be read as an image: {error}") from None
    if images.shape[1:] != shape or not len(images):
        has, wanted = ("x".join(map(str, s)) for s in (images.shape[1:], shape))
        what = f"is {has}" if len(images) else "holds no image"
        raise DataError(f"{path} {what}; the network takes images of {wanted} (H x W x C)")
    return images


def flat(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell which of `images`, uint8 [N, H, W, C], show one colour only, [N]: most likely not what was meant."""
    same: NDArray[np.bool_] = (images == images[:, :1, :1]).all(axis=(1, 2, 3))
    return same & (images[0, ..., 0].size > 1)


def _read_array(path: Path, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Read .npy through a memory map, so that a header that promises too much is found out before memory is."""
    mapped = np.lib.format.open_memmap(path, mode="r")
    if mapped.dtype != np.uint8 or mapped.ndim not in (2, 3, 4):
        raise ValueError(f"it holds {mapped.dtype} {list(mapped.shape)}, not uint8 [H, W], [N, H, W] or [N, H, W, C]")
    array: NDArray[np.uint8] = np.array(mapped)
    if array.ndim == 2 or array.shape == shape:
        array = array[None]
    return array if array.ndim == 4 else array[..., None]


def _read_picture(path: Path, shape: tuple[int, int, int], manner: Manner | None) -> NDArray[np.uint8]:
    """Read a picture in a file, as `read_encoded` does."""
    if not path.exists():
        raise FileNotFoundError
    try:
        return read_encoded(str(path), shape, manner)
    except DataError as error:
        raise DataError(f"{path} {error}") from None


def read_encoded(source: Encoded, shape: tuple[int, int, int], manner: Manner | None = None) -> NDArray[np.uint8]:
    """Read one picture, turned to as many channels as `shape` has where it can be; pixels only if the size is right.

    DataError, without its name, if it cannot be read.
    """
    height, width, wanted = shape
    channels = 1 if wanted == 1 else 3
    manner = manner or Manner((0,) * channels)
    with strict():
        seen = facts(source)
        if wanted != channels or (not manner.scaled and (seen.height, seen.width) != (height, width)):
            # Nobody will look at the pixels.
            return np.broadcast_to(np.uint8(0), (1, seen.height, seen.width, channels))
        return read(source, Form(height, width, channels, manner.background, manner.scaled))[None]


def read_asked(source: object, shape: tuple[int, int, int], manner: Manner | None = None) -> NDArray[np.uint8] | None:
    """Return a picture, or a list of pictures, as images [N, *shape]; None if `source` is neither.

    A picture is the path of a file, its content in bytes, or an open Pillow image. Raises DataError as `read_images`.
    """
    if isinstance(source, list | tuple) and source:
        read_ones = [read_asked(one, shape, manner) for one in source if not isinstance(one, list | tuple)]
        found = [images for images in read_ones if images is not None]
        return np.concatenate(found) if len(found) == len(source) else None
    if isinstance(source, str | Path):
        return read_images(Path(source), shape, manner)
    if not isinstance(source, bytes) and not hasattr(source, "getbands"):  # that of Pillow, which takes long to import
        return None
    try:
        images = read_encoded(cast("Encoded", source), shape, manner)
    except DataError as error:
        raise DataError(f"the picture {error}") from None
    if images.shape[1:] != shape:
        has, wanted = ("x".join(map(str, s)) for s in (images.shape[1:], shape))
        raise DataError(f"the picture is {has}; the network takes images of {wanted} (H x W x C)")
    return images
