"""When a run ends."""

from dataclasses import dataclass
from typing import TypedDict

from engine.settings.field import LENGTH, setting

DEFAULT_EPOCHS = 3


@dataclass(frozen=True)
class LengthSettings:
    """When a run ends."""

    epochs: int | None = setting(
        int,
        None,
        LENGTH,
        "stop after this many epochs",
        1,
        1 << 24,
        optional=True,
        unset=f"{DEFAULT_EPOCHS} if nothing else ends the run",
    )
    steps: int | None = setting(
        int, None, LENGTH, "stop after this many steps, counted from the start of training", 1, 1 << 40, optional=True
    )
    time_limit: float | None = setting(
        float, None, LENGTH, "stop after this many seconds", 0, above=True, optional=True
    )
    target: float | None = setting(
        float, None, LENGTH, "stop when validation reaches this percentage, or this R²", 0, 100, optional=True
    )
    patience: int | None = setting(
        int,
        None,
        LENGTH,
        "stop after this many validations in a row without a better score",
        1,
        1 << 40,
        optional=True,
    )


class LengthDict(TypedDict, total=False):
    """The same as keyword arguments."""

    epochs: int | None
    steps: int | None
    time_limit: float | None
    target: float | None
    patience: int | None
