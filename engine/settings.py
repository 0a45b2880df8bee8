"""The settings of a run, frozen and validated, for the command line, TOML files and Python alike."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Self, TypedDict

from engine.errors import SettingsError
from engine.kernels.choose import DEFAULT as KERNELS_DEFAULT
from engine.kernels.choose import IN_WORDS
from engine.kernels.choose import NAMES as KERNELS
from engine.nn.optimizers import OPTIMIZERS, Optimizer, optimizer_from
from engine.system.cores import usable_cores
from engine.system.ranges import check_value
from engine.system.spelling import hint

MAX_WORKERS = 4096
DEFAULT_EPOCHS = 3
SNAPSHOT_EVERY = 32  # steps
SNAPSHOT_BUDGET = 256  # megabytes


# Groups of the help.
DATA, TRAINING, LENGTH = "data and model", "training", "how long"
WORKERS, REMOTE = "workers", "workers on other machines"
FILES, SNAPSHOTS = "records and checkpoints", "snapshots"
OWN_RATES = ", ".join(f"{name} {kind().lr:g}" for name, kind in OPTIMIZERS.items())


def setting(
    kind: type, default: Any, group: str, text: str, low: float | None = None, high: float = math.inf, **more: Any
) -> Any:
    """Return a dataclass field with its help text, the group of the help it belongs to, and its range if a number.

    `more`: `choices` (allowed words), `optional` (None is allowed), `above`, `below` (`low`, `high` itself is out),
    `unset` (in words, what a default of None or 0 stands for), `timed` (text that `seconds_of` reads is allowed).
    """
    metadata = {"kind": kind, "group": group, "help": text, "low": low, "high": high} | more
    return field(default=default, metadata=metadata)


FORMER_NAMES = {"mailbox": "shared_memory"}  # in checkpoints, configuration files and commands of earlier versions


@dataclass(frozen=True)
class Settings:
    """Settings of a training run. Raises SettingsError for a value out of range, naming the setting and the value."""

    workers: int | None = setting(
        int,
        None,
        WORKERS,
        "worker processes on this machine; 0: compute in this process, or leave it to other machines",
        0,
        MAX_WORKERS,
        optional=True,
        unset="one per core, but no more than a batch has micro-batches",
    )
    min_workers: int | None = setting(
        int,
        None,
        WORKERS,
        "workers to wait for before the start, and below which the run pauses",
        1,
        MAX_WORKERS,
        optional=True,
        unset="--workers, but at least 1, to start; then 1",
    )
    audit: float = setting(float, 0.0, WORKERS, "fraction of blocks computed by two workers and compared", 0, 1)
    kernels: str | None = setting(
        str, None, WORKERS, f"what computes: {IN_WORDS}", choices=KERNELS, optional=True, unset=KERNELS_DEFAULT
    )
    allow_slow: bool = setting(
        bool, False, WORKERS, "let a processor without fused multiply-add use numba, 20 to 45 times as slowly"
    )
    batch_size: int = setting(int, 64, TRAINING, "images per batch", 1, 1 << 24)
    microbatch: int = setting(int, 16, TRAINING, "images per micro-batch, which is never divided", 1, 4096)
    optimizer: str = setting(str, "adam", TRAINING, "how gradients change the parameters", choices=tuple(OPTIMIZERS))
    lr: float | None = setting(float, None, TRAINING, "learning rate", 0, above=True, optional=True, unset=OWN_RATES)
    momentum: float = setting(float, 0.9, TRAINING, "momentum: fraction of the velocity that is kept", 0, 1, below=True)
    beta1: float = setting(float, 0.9, TRAINING, "adam: decay of the mean gradient", 0, 1, below=True)
    beta2: float = setting(float, 0.999, TRAINING, "adam: decay of the mean squared gradient", 0, 1, below=True)
    epsilon: float = setting(float, 1e-8, TRAINING, "adam: added to the root of the mean square", 0, above=True)
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
    dropout: float = setting(
        float, 0.0, TRAINING, "probability of dropping a value before each dense activation", 0, 1, below=True
    )
    augment: bool = setting(bool, False, DATA, "shift each training image by up to 2 pixels and invert 5 random pixels")
    validation: float = setting(float, 0.0, DATA, "fraction held out of training, to choose by", 0, 1, below=True)
    seed: int = setting(int, 3, TRAINING, "seed of initialisation, order, dropout and augmentation", 0, (1 << 63) - 1)
    shared_memory: bool = setting(bool, True, WORKERS, "exchange vectors with local workers through shared memory")
    local: str = setting(
        str,
        "unix",
        WORKERS,
        "connect local workers by Unix sockets, where the system has what that takes, or by ZeroMQ",
        choices=("unix", "zmq"),
    )
    bind: str | None = setting(
        str, None, REMOTE, "let workers join at tcp://HOST:PORT; port 0 picks a free one", optional=True
    )
    key: str | None = setting(
        str, None, REMOTE, "key file of --bind, created if missing", optional=True, unset="a new one for this run"
    )
    insecure: bool = setting(bool, False, REMOTE, "let anyone join at --bind without keys, and read what is sent")
    validate_every: int = setting(int, 0, FILES, "steps between validations", 0, 1 << 40, unset="once an epoch")
    checkpoint_every: int | str = setting(
        int,
        0,
        FILES,
        "steps, or time (90s, 10m, 2h), between checkpoints",
        0,
        1 << 40,
        timed=True,
        unset="once an epoch, at least every 5 minutes",
    )
    snapshot_first: int = setting(
        int, 32, SNAPSHOTS, "record all parameters and gradients of this many first steps", 0, 1 << 40
    )
    snapshot_every: int | None = setting(
        int,
        None,
        SNAPSHOTS,
        "and those of every step divisible by this; 0: of none",
        0,
        1 << 40,
        optional=True,
        unset=str(SNAPSHOT_EVERY),
    )
    snapshot_budget: int | None = setting(
        int,
        None,
        SNAPSHOTS,
        "megabytes of snapshots to keep: when they are full, every second one is deleted; 0: no limit",
        0,
        1 << 40,
        optional=True,
        unset=f"{SNAPSHOT_BUDGET}; no limit if --snapshot-every is given",
    )
    snapshot_layers: str | None = setting(
        str, None, SNAPSHOTS, "layers to record, such as c1,c2", optional=True, unset="all"
    )
    statistics_every: int = setting(int, 32, SNAPSHOTS, "steps between statistics of every layer; 0: none", 0, 1 << 40)

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
            if getattr(self, name) and not self.bind:
                raise SettingsError(f"{name} is for workers on other machines: also give --bind tcp://HOST:PORT")
        if self.key and self.insecure:
            raise SettingsError("key and insecure exclude each other: with keys the connection is secure")
        chosen: dict[str, Any] = {}
        if self.workers is None:
            chosen["workers"] = min(usable_cores(), self.microbatches)
        if self.lr is None:
            chosen["lr"] = OPTIMIZERS[self.optimizer]().lr
        if self.epochs is self.steps is self.time_limit is self.target is None:
            chosen["epochs"] = DEFAULT_EPOCHS
        if self.snapshot_every is None:
            chosen["snapshot_every"] = SNAPSHOT_EVERY
        if self.snapshot_budget is None:
            chosen["snapshot_budget"] = 0 if self.snapshot_every else SNAPSHOT_BUDGET
        settings = replace(self, **chosen)
        if not self.bind and (settings.min_workers or 0) > (settings.workers or 0):
            raise SettingsError(
                f"min-workers must be at most the number of workers, {settings.workers}, got {settings.min_workers}"
            )
        return settings

    @property
    def microbatches(self) -> int:
        """How many micro-batches a full batch has: more workers have nothing to do in a step."""
        return -(-self.batch_size // self.microbatch)

    def last_step(self, samples: int) -> int | None:
        """Return the step that ends a run on `samples` training samples; None if something else does."""
        ends = [self.steps] if self.steps else []
        if self.epochs:
            ends.append(self.epochs * -(-samples // self.batch_size))
        return min(ends, default=None)

    def make_optimizer(self) -> Optimizer:
        """Return the optimizer with its settings; SettingsError if one of them does not suit it."""
        names = [f.name for f in fields(OPTIMIZERS[self.optimizer])]
        return optimizer_from(self.optimizer, **{name: getattr(self, name) for name in names})

    def asdict(self) -> dict[str, Any]:
        """Return the settings as plain data."""
        return asdict(self)


class SettingsDict(TypedDict, total=False):
    """The fields of `Settings` as keyword arguments, besides the optimizer, which may also be an object."""

    workers: int | None
    min_workers: int | None
    audit: float
    kernels: str | None
    allow_slow: bool
    batch_size: int
    microbatch: int
    lr: float | None
    momentum: float
    beta1: float
    beta2: float
    epsilon: float
    epochs: int | None
    steps: int | None
    time_limit: float | None
    target: float | None
    dropout: float
    augment: bool
    validation: float
    seed: int
    shared_memory: bool
    local: str
    bind: str | None
    key: str | None
    insecure: bool
    validate_every: int
    checkpoint_every: int | str
    snapshot_first: int
    snapshot_every: int | None
    snapshot_budget: int | None
    snapshot_layers: str | None
    statistics_every: int


def given_settings(
    settings: Settings | None, optimizer: Optimizer | str | None, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what was given, by name: what is not the default in `settings`, then `options`, then `optimizer`."""
    chosen = settings.asdict() if settings else {}
    changed = {f.name: chosen[f.name] for f in fields(Settings) if chosen.get(f.name, f.default) != f.default}
    return changed | dict(options) | (settings_of(optimizer) if optimizer else {})


def settings_of(optimizer: Optimizer | str) -> dict[str, Any]:
    """Return the settings, by name, that `Settings.make_optimizer` turns back into `optimizer`.

    A name stands for itself: what belongs to it is given as settings. SettingsError for anything else.
    """
    if isinstance(optimizer, str):
        return {"optimizer": optimizer}
    for name, kind in OPTIMIZERS.items():
        if type(optimizer) is kind:
            return {"optimizer": name} | asdict(optimizer)
    raise SettingsError(f"optimizer must be one of {', '.join(OPTIMIZERS)} or an object like Adam(), got {optimizer!r}")


# The settings that end a run; giving any of them to a resumed run replaces them all.
ENDS = ("epochs", "steps", "time_limit", "target")

# What the parameters after step t depend on, so that a resumed run may not change it.
TRAJECTORY = (
    "batch_size",
    "microbatch",
    "optimizer",
    "lr",
    "momentum",
    "beta1",
    "beta2",
    "epsilon",
    "dropout",
    "augment",
    "validation",
    "seed",
)
