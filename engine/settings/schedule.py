"""The learning rate over time."""

from dataclasses import dataclass
from typing import Any, TypedDict

from engine.errors import SettingsError
from engine.settings.field import SCHEDULE, setting

SCHEDULES = ("constant", "cosine", "linear", "step", "onecycle")
SPANNING = ("cosine", "linear", "onecycle")  # those that reach their end at a certain step


@dataclass(frozen=True)
class ScheduleSettings:
    """The learning rate over time."""

    schedule: str = setting(str, "constant", SCHEDULE, "what the learning rate does", choices=SCHEDULES)
    warmup: int | None = setting(
        int,
        None,
        SCHEDULE,
        "steps in which the learning rate rises at first",
        0,
        1 << 40,
        optional=True,
        unset="0; onecycle: 30 % of the steps",
    )
    schedule_steps: int | None = setting(
        int,
        None,
        SCHEDULE,
        "step at which a schedule has reached its end",
        1,
        1 << 40,
        optional=True,
        unset="the last step",
    )
    min_lr: float = setting(float, 0.0, SCHEDULE, "learning rate that a schedule ends at, or does not go below", 0)
    decay_every: int | None = setting(
        int,
        None,
        SCHEDULE,
        "step: steps until the learning rate is multiplied by --decay-factor",
        1,
        1 << 40,
        optional=True,
        unset="a third of all steps",
    )
    decay_factor: float = setting(
        float, 0.1, SCHEDULE, "step, --plateau: what the learning rate is multiplied by", 0, 1, above=True, below=True
    )
    plateau: int = setting(
        int,
        0,
        SCHEDULE,
        "validations in a row without a better score after which the learning rate is multiplied by --decay-factor",
        0,
        1 << 40,
        unset="never",
    )

    @property
    def needs_an_end(self) -> bool:
        """Whether the rates depend on where the schedule ends."""
        return self.schedule in SPANNING or (self.schedule == "step" and self.decay_every is None)

    @property
    def ends_at_zero(self) -> bool:
        """Whether nothing changes any more after the schedule has ended."""
        return self.schedule in ("cosine", "linear") and self.min_lr == 0

    def spread_over(self, last: int | None) -> dict[str, Any]:
        """Return the settings that follow from the `last` step of the run, None if that is not known.

        SettingsError if the schedule needs to know it, or if it and the run do not suit each other.
        """
        steps = self.schedule_steps or last
        if not self.needs_an_end:
            return {}
        if steps is None:
            raise SettingsError(
                f"schedule {self.schedule} must know where it ends: also give --steps, --epochs or --schedule-steps"
            )
        if (self.warmup or 0) >= steps:
            raise SettingsError(f"warmup must be below the {steps} steps of the schedule, got {self.warmup}")
        if self.ends_at_zero and last is not None and last > steps:
            raise SettingsError(
                f"the schedule ends at step {steps} with a learning rate of 0, the run at step {last}: the steps "
                "between would change nothing; begin a new run with all the steps, or with --min-lr"
            )
        return {"schedule_steps": steps, "decay_every": self.decay_every or -(-steps // 3)}


class ScheduleDict(TypedDict, total=False):
    """The same as keyword arguments."""

    schedule: str
    warmup: int | None
    schedule_steps: int | None
    min_lr: float
    decay_every: int | None
    decay_factor: float
    plateau: int
