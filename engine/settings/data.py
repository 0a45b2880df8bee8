"""The data of a run."""

from dataclasses import dataclass
from typing import TypedDict

from engine.settings.field import DATA, setting


@dataclass(frozen=True)
class DataSettings:
    """The data of a run."""

    augment: bool = setting(bool, False, DATA, "shift each training image by up to 2 pixels and invert 5 random pixels")
    validation: float = setting(float, 0.0, DATA, "fraction held out of training, to choose by", 0, 1, below=True)


class DataDict(TypedDict, total=False):
    """The same as keyword arguments."""

    augment: bool
    validation: float
