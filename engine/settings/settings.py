"""The settings of a run, frozen and validated, for the command line, TOML files and Python alike."""

from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

from engine.errors import SettingsError
from engine.nn.optimizers import OPTIMIZERS, Optimizer, optimizer_from
from engine.settings.data import DataDict, DataSettings
from engine.settings.field import DECIDING
from engine.settings.length import DEFAULT_EPOCHS, LengthDict, LengthSettings
from engine.settings.optimizer import OptimizerDict, OptimizerSettings
from engine.settings.records import SNAPSHOT_BUDGET, SNAPSHOT_EVERY, RecordsDict, RecordsSettings
from engine.settings.schedule import ScheduleDict, ScheduleSettings
from engine.settings.training import TrainingDict, TrainingSettings, default_microbatch
from engine.settings.workers import WorkersDict, WorkersSettings
from engine.system.cores import usable_cores
from engine.system.ranges import check_value
from engine.system.spelling import FORMER_NAMES, hint


@dataclass(frozen=True)
class Settings(
    RecordsSettings,
    LengthSettings,
    DataSettings,
    ScheduleSettings,
    OptimizerSettings,
    TrainingSettings,
    WorkersSettings,
):
    """Settings of a training run. Raises SettingsError for a value out of range, naming the setting and the value.

    Each has the name of an option of `gradsum train`, with _ for -, and its meaning: `gradsum train --help` and
    docs/commands.md have a line for each, and so has `Settings.__dataclass_fields__["lr"].metadata["help"]`.
    """

    def __post_init__(self) -> None:
        for f in fields(self):
            check_value(f.name, getattr(self, f.name), f.metadata)

    @classmethod
    def build(cls, values: dict[str, Any]) -> Self:
        """Build settings from names and values; SettingsError for an unknown name. Former names are understood."""
        values = {FORMER_NAMES.get(name, name): value for name, value in values.items()}
        names = [f.name for f in fields(cls)]
        for name in values:
            if name not in names:
                raise SettingsError(f"no setting {name!r}{hint(name, names)}")
        return cls(**values)

    def resolved(self) -> Self:
        """Fill in the defaults that depend on the machine or on other settings; SettingsError if two do not agree."""
        for name in ("key", "insecure"):
            if getattr(self, name) and not self.elsewhere:
                raise SettingsError(f"{name} is for workers on other machines: also give --bind tcp://HOST:PORT")
        if self.key and self.insecure:
            raise SettingsError("key and insecure exclude each other: with keys the connection is secure")
        chosen: dict[str, Any] = {"microbatch": self.microbatch_size}
        if self.workers is None and not self.placed:
            chosen["workers"] = min(usable_cores(), self.microbatches)
        own = OPTIMIZERS[self.optimizer]()
        chosen |= {name: getattr(own, name) for name in ("lr", "weight_decay") if getattr(self, name) is None}
        if all(getattr(self, name) is None for name in ENDS):
            chosen["epochs"] = DEFAULT_EPOCHS
        if self.snapshot_every is None:
            chosen["snapshot_every"] = SNAPSHOT_EVERY
        if self.snapshot_budget is None:
            chosen["snapshot_budget"] = 0 if self.snapshot_every else SNAPSHOT_BUDGET
        settings = replace(self, **chosen)
        if settings.min_lr > (settings.lr or 0):
            raise SettingsError(f"min-lr must be at most the learning rate, {settings.lr:g}, got {settings.min_lr:g}")
        settings._check_decay()
        if settings.epochs is settings.steps is None:
            settings.spread_over(None)
        if not self.elsewhere and (settings.min_workers or 0) > (settings.workers or 0):
            raise SettingsError(
                f"min-workers must be at most the number of workers, {settings.workers}, got {settings.min_workers}"
            )
        return settings

    def _check_decay(self) -> None:
        """Raise SettingsError for a weight decay by which parameters would change their sign in every step."""
        decay, rate = self.weight_decay or 0, self.lr or 0
        if OPTIMIZERS[self.optimizer].decoupled and decay * rate >= 1:
            raise SettingsError(
                f"weight-decay times the learning rate, {rate:g}, must be below 1 with {self.optimizer}, got {decay:g}"
            )

    @property
    def microbatch_size(self) -> int:
        """How many images a micro-batch has."""
        return self.microbatch or default_microbatch(self.batch_size)

    @property
    def microbatches(self) -> int:
        """How many micro-batches a full batch has: more workers have nothing to do in a step."""
        return -(-self.batch_size // self.microbatch_size)

    def last_step(self, samples: int) -> int | None:
        """Return the step that ends a run on `samples` training samples; None if something else does.

        Where none was given, a schedule that ends with a learning rate of 0 ends the run.
        """
        ends = [self.steps] if self.steps else []
        if self.epochs:
            ends.append(self.epochs * -(-samples // self.batch_size))
        return min(ends, default=self.schedule_steps if self.ends_at_zero else None)

    def planned(self, samples: int) -> Self:
        """Fill in what depends on the number of training samples, too; SettingsError as `spread_over`."""
        return replace(self, **self.spread_over(self.last_step(samples)))

    def make_optimizer(self) -> Optimizer:
        """Return the optimizer with its settings; SettingsError if one of them does not suit it."""
        names = [f.name for f in fields(OPTIMIZERS[self.optimizer])]
        return optimizer_from(self.optimizer, **{name: getattr(self, name) for name in names})

    def asdict(self) -> dict[str, Any]:
        """Return the settings as plain data."""
        return asdict(self)


class SettingsDict(
    WorkersDict, TrainingDict, OptimizerDict, ScheduleDict, DataDict, LengthDict, RecordsDict, total=False
):
    """The fields of `Settings` as keyword arguments, besides the optimizer, which may also be an object."""


# The settings that end a run; giving any of them to a resumed run replaces them all.
ENDS = tuple(f.name for f in fields(LengthSettings))

# What the parameters after step t depend on, so that a resumed run may not change it.
TRAJECTORY = tuple(f.name for f in fields(Settings) if f.metadata["group"] in DECIDING)
