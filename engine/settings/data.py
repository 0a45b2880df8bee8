"""The data of a run."""

from dataclasses import dataclass
from typing import TypedDict

from engine.settings.field import DATA, setting


def _check_augmentation(value: str) -> None:
    from engine.data.augmentation import augmentation_of  # noqa: PLC0415 - slow, and seldom needed

    augmentation_of(value)


@dataclass(frozen=True)
class DataSettings:
    """The data of a run."""

    augment: bool | str = setting(
        str,
        False,
        DATA,
        "change each training image: shift=2,flip,rotate=10,crop,noise=5, or some of these; without changes: shift=2 "
        "and noise=5, which inverts 5 pixels",
        switch=True,
        check=_check_augmentation,
    )
    validation: float = setting(float, 0.0, DATA, "fraction held out of training, to choose by", 0, 1, below=True)


class DataDict(TypedDict, total=False):
    """The same as keyword arguments."""

    augment: bool | str
    validation: float
