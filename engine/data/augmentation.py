"""What augmentation does to training images, as it is asked for: `shift=2,flip,rotate=10,crop,noise=5`."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from engine.errors import SettingsError
from engine.system.spelling import hint

EXAMPLE = "shift=2,flip,rotate=10,crop,noise=5"
CROP = 0.2
MAX_PIXELS = 4096  # pixels of shift, or of noise


@dataclass(frozen=True)
class Augmentation:
    """Images are shifted by up to `shift` pixels either way; mirrored left to right, half of them, if `flip`; turned by
    up to `rotate` degrees either way; of their sides, a part up to `crop` is cut off, and what is left stretched; and
    `noise` random pixels are inverted.
    """

    shift: int = 0
    flip: bool = False
    rotate: float = 0.0
    crop: float = 0.0
    noise: int = 0


USUAL = Augmentation(shift=2, noise=5)  # of the letters program, what `true` stands for


def augmentation_of(asked: bool | str) -> Augmentation | None:
    """Return what was asked for, None for nothing; SettingsError if it cannot be understood."""
    if isinstance(asked, bool):
        return USUAL if asked else None
    chosen: dict[str, bool | int | float] = {}
    for word in re.split(r"[,+]", asked):
        name, equals, text = word.partition("=")
        name = name.strip()
        if name not in _READERS:
            near = hint(name, _READERS) if name else ""
            raise _wrong(asked, f"no change is called {name!r:.40}{near}")
        if name in chosen:
            raise _wrong(asked, f"{name} is there twice")
        chosen[name] = _READERS[name](name, text.strip() if equals else None, asked)
    return Augmentation(**chosen)  # type: ignore[arg-type]  # each reader returns the type of its field


def _wrong(asked: str, why: str) -> SettingsError:
    return SettingsError(f"augment must be true or false, or changes such as {EXAMPLE}, got {asked!r:.60}: {why}")


def _whole(name: str, text: str | None, asked: str) -> int:
    if text is None or not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= MAX_PIXELS:
        raise _wrong(asked, f"{name} wants a whole number from 1 to {MAX_PIXELS}, {name}=2")
    return int(text)


def _flip(name: str, text: str | None, asked: str) -> bool:
    if text is not None:
        raise _wrong(asked, f"{name} takes no number")
    return True


def _degrees(name: str, text: str | None, asked: str) -> float:
    return _between(text, asked, 180.0, f"{name} wants degrees above 0, up to 180, {name}=10")


def _crop(name: str, text: str | None, asked: str) -> float:
    if text is None:
        return CROP
    return _between(text, asked, 0.9, f"{name} is a part of the sides above 0, up to 0.9, {name}={CROP}")


def _between(text: str | None, asked: str, most: float, wanted: str) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not 0 < value <= most:
        raise _wrong(asked, wanted)
    return value


_READERS = {"shift": _whole, "flip": _flip, "rotate": _degrees, "crop": _crop, "noise": _whole}
