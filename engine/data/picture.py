"""One picture as a person sees it: turned as its EXIF says, on a background, in 8 bits, grey or in colour."""

from __future__ import annotations

import io
import os
import stat
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from threading import RLock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.data.scale import scale_for
from engine.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

    Encoded = str | bytes | Image  # the path of a file, the content of one, or a picture that is open already

_one_at_a_time = RLock()
# What Pillow raises for damaged pictures.
DAMAGED = (OSError, ValueError, SyntaxError, EOFError, TypeError, LookupError, struct.error)
_GREY = {"1", "L", "LA", "La", "I", "F", "I;16", "I;16L", "I;16B", "I;16N"}
_ALPHA = {"LA", "La", "PA", "RGBA", "RGBa"}
# Their further frames are previews, other views or layers: every viewer shows the first.
_FIRST_COUNTS = {"MPO", "PSD"}
# PostScript is a program, and Pillow would have Ghostscript run it.
_NEVER = {"EPS"}
_ORIENTATION = 0x0112  # the EXIF tag
# What to do for each of its values, by the names of PIL.Image.Transpose; 1 is upright.
_GREY_STEPS = {"L;2": 85, "L;4": 17}  # between the greys of PNG files with as many bits
_TURNS = {
    2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE",
    6: "ROTATE_270", 7: "TRANSVERSE", 8: "ROTATE_90",
}  # fmt: skip


@dataclass(frozen=True)
class Facts:
    """What the header of a picture says: its size once turned; whether it may have colours, and transparent parts."""

    height: int
    width: int
    colour: bool
    alpha: bool
    turned: bool


@dataclass(frozen=True)
class Form:
    """What pictures become: uint8 [height, width, channels], 1 channel for grey and 3 for colour.

    `background` has a byte for each channel: transparent parts are laid on it. With `fit`, pictures of other sizes
    are scaled, whole and undistorted, and the background fills what is left at two sides; without, they are refused.
    """

    height: int
    width: int
    channels: int
    background: tuple[int, ...]
    fit: bool = False


@contextmanager
def strict() -> Iterator[None]:
    """Make Pillow refuse what is too large, rather than warn, and keep its other warnings to itself.

    For the whole process, so one thread at a time may be in it; it belongs around everything that reads pictures.
    """
    from PIL import Image  # noqa: PLC0415  slow

    with _one_at_a_time, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def facts(source: Encoded) -> Facts:
    """Read the header; DataError, without the picture's name, if it cannot be read or has several frames."""
    with _opened(source) as image:
        turn = _turn(image)
        height, width = (image.width, image.height) if turn >= 5 else (image.height, image.width)
        alpha = image.mode in _ALPHA or "transparency" in image.info
        return Facts(height, width, image.mode not in _GREY, alpha, turn != 1)


def read(source: Encoded, form: Form) -> NDArray[np.uint8]:
    """Return the picture as uint8 [H, W, C] of `form`; DataError, without its name, if that cannot be done."""
    with _opened(source) as image:
        seen = _turned(_eight_bits(image), _turn(image))
        grey = form.channels == 1
        if "A" in seen.getbands():
            seen = _laid(seen.convert("LA" if grey else "RGBA"), form.background)
        seen = seen.convert("L" if grey else "RGB")
        if (seen.height, seen.width) != (form.height, form.width):
            if not form.fit:
                raise DataError(f"is {seen.height}x{seen.width}, not {form.height}x{form.width} (height x width)")
            seen = _fitted(seen, form)
        return np.asarray(seen).reshape(form.height, form.width, form.channels)


def read_alpha(source: Encoded, colour: bool) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the picture in its own size: colours [H, W, 1 or 3] and opacity [H, W], 255 where there is no alpha."""
    with _opened(source) as image:
        seen = _turned(_eight_bits(image), _turn(image)).convert("RGBA" if colour else "LA")
        values = np.asarray(seen)
        return values[..., :-1], values[..., -1]


@cache
def registered() -> frozenset[str]:
    """Return the endings of names of picture files, such as .png."""
    from PIL import Image  # noqa: PLC0415  slow

    return frozenset(ending for ending, name in Image.registered_extensions().items() if name in _formats())


def is_picture(path: str) -> bool:
    """Tell whether the file looks like a picture, whatever its name says."""
    try:
        with _opened(path):
            return True
    except DataError:
        return False


@contextmanager
def _opened(source: Encoded) -> Iterator[Image]:
    """Open a picture, and turn all that may be wrong with it into a DataError."""
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415  slow

    try:
        if isinstance(source, Image.Image):
            _check_frames(source)
            yield source
            return
        if isinstance(source, str) and stat.S_ISFIFO(os.stat(source).st_mode):  # noqa: PTH116  as the paths are
            raise DataError("is a pipe, not a file")
        file = io.BytesIO(source) if isinstance(source, bytes) else source
        with Image.open(file, formats=_formats()) as image:
            _check_frames(image)
            _scale_key(image)
            yield image
    except UnidentifiedImageError:
        raise DataError("is not in a known picture format") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        most = f"{Image.MAX_IMAGE_PIXELS:,} pixels"
        raise DataError(f"has more than {most}, the limit against files made to fill memory; scale it down") from None
    except FileNotFoundError:
        raise DataError("does not exist") from None
    except IsADirectoryError:
        raise DataError("is a folder") from None
    except DAMAGED as error:
        raise DataError(f"is damaged or cannot be read ({getattr(error, 'strerror', None) or error})") from None


@cache
def _formats() -> tuple[str, ...]:
    from PIL import Image  # noqa: PLC0415  slow

    Image.init()
    return tuple(name for name in Image.ID if name not in _NEVER)


def _scale_key(image: Image) -> None:
    """Give the colour that stands for transparency the scale of the pixels: Pillow leaves it as a PNG stores it."""
    tiles, key = getattr(image, "tile", None), image.info.get("transparency")
    stored = tiles[0][3] if tiles else None
    if isinstance(key, int) and stored in _GREY_STEPS:
        image.info["transparency"] = key * _GREY_STEPS[stored]
    elif isinstance(key, tuple) and stored == "RGB;16B":
        image.info["transparency"] = tuple(value >> 8 for value in key)


def _check_frames(image: Image) -> None:
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format not in _FIRST_COUNTS:
        raise DataError(f"has {frames} frames; save the one that counts as a picture of its own")


def _turn(image: Image) -> int:
    """Return the EXIF orientation, 1 to 8."""
    try:
        turn = image.getexif().get(_ORIENTATION, 1)
    except DAMAGED:  # viewers show a picture with damaged EXIF as it is stored
        return 1
    return turn if turn in _TURNS else 1


def _turned(image: Image, turn: int) -> Image:
    from PIL.Image import Transpose  # noqa: PLC0415  slow

    return image if turn == 1 else image.transpose(Transpose[_TURNS[turn]])


def _eight_bits(image: Image) -> Image:
    """Return the picture in mode L, LA, RGB or RGBA."""
    from PIL.Image import fromarray  # noqa: PLC0415  slow

    if image.mode == "F":
        values = np.asarray(image)
        try:
            return fromarray(scale_for([values], "they").apply(values))
        except DataError as error:
            raise DataError(f"holds floats, and {error}") from None
    if image.mode.startswith("I"):
        deep = np.asarray(image)
        if deep.min() < 0 or deep.max() > 65535:
            raise DataError(f"has values from {deep.min()} to {deep.max()}; 16 bits, 0 to 65535, are the most")
        grey = fromarray(np.rint(deep / 257).astype(np.uint8))  # 65535 becomes 255
        if isinstance(nothing := image.info.get("transparency"), int):  # the value that stands for it
            grey.putalpha(fromarray(np.where(deep == nothing, 0, 255).astype(np.uint8)))
        return grey
    alpha = image.mode in _ALPHA or "transparency" in image.info
    return image.convert(("LA" if alpha else "L") if image.mode in _GREY else ("RGBA" if alpha else "RGB"))


def _laid(image: Image, background: tuple[int, ...]) -> Image:
    """Lay a picture of mode LA or RGBA on a sheet of one colour."""
    from PIL import Image as images  # noqa: N813, PLC0415  slow

    mode = "L" if image.mode == "LA" else "RGB"
    sheet = images.new(mode, image.size, background if mode == "RGB" else background[0])
    sheet.paste(image.convert(mode), mask=image.getchannel("A"))
    return sheet


def _fitted(image: Image, form: Form) -> Image:
    """Scale the whole picture to the largest size that `form` has room for, in the middle of a sheet."""
    from PIL import Image as images  # noqa: N813, PLC0415  slow

    scale = min(form.width / image.width, form.height / image.height)
    width, height = (max(1, round(side * scale)) for side in image.size)
    scaled = image.resize((width, height), images.Resampling.BICUBIC)
    if scaled.size == (form.width, form.height):
        return scaled
    background = form.background if image.mode == "RGB" else form.background[0]
    sheet = images.new(image.mode, (form.width, form.height), background)
    sheet.paste(scaled, ((form.width - width) // 2, (form.height - height) // 2))
    return sheet
