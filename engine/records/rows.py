"""What is written: one small class a table. Times are seconds unless they are called ISO 8601."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypedDict
from uuid import uuid4


@dataclass(frozen=True)
class RunRow:
    """What is known of a run when it begins; the columns of `runs` say what each field means.

    `settings` and `versions` hold plain data and are stored as JSON. Host, process, cores, command, commit and the
    time are found by `Recorder.begin`.
    """

    model: str
    data: str
    optimizer: str
    lr: float
    batch_size: int
    microbatch: int
    workers: int
    seed: int
    uuid: str = field(default_factory=lambda: uuid4().hex)
    name: str | None = None
    generated: bool = False
    data_digest: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, Any] = field(default_factory=dict)
    folder: str | None = None


class Totals(TypedDict, total=False):
    """What is known of a run when it ends; every one may be left out."""

    steps: int
    epochs: float
    train_loss: float | None
    best_percent: float | None
    images_per_second: float | None
    wall_seconds: float
    cpu_seconds: float
    params_sha256: str


class TrainingRow(NamedTuple):
    """One step. `avgloss` nan is stored as NULL."""

    batchno: int
    epoch: float
    time: float
    elapsed: float
    cputime: float
    corperc: float | None
    avgloss: float
    batchsize: int
    lr: float
    momentum: float | None = None


class ValidationRow(NamedTuple):
    """One validation."""

    batchno: int
    epoch: float
    time: float
    cputime: float
    elapsed: float
    corperc: float | None
    avgloss: float


class WorkerRow(NamedTuple):
    """One worker as far as it is known; `Recorder.worker` says what a later row of the same `worker` replaces."""

    worker: str
    host: str | None = None
    pid: int | None = None
    joined: str | None = None
    left: str | None = None
    reason: str | None = None
    images: int = 0
    seconds: float = 0.0
    images_per_second: float | None = None
    fingerprint: str | None = None


class EventRow(NamedTuple):
    """Something that happened. `time` None: now."""

    kind: str
    text: str = ""
    batchno: int | None = None
    worker: str | None = None
    elapsed: float | None = None
    time: float | None = None


class StatisticsRow(NamedTuple):
    """One array at one step. nan is stored as NULL, and read as nan."""

    batchno: int
    name: str
    subname: str
    values_mean: float
    values_deviation: float
    values_min: float
    values_max: float
    values_norm: float
    values_zeros: float
    gradients_mean: float
    gradients_deviation: float
    gradients_min: float
    gradients_max: float
    gradients_norm: float
    gradients_zeros: float
    updates_mean: float
    updates_deviation: float
    updates_min: float
    updates_max: float
    updates_norm: float
    updates_zeros: float


class HistogramRow(NamedTuple):
    """The values or gradients (`what`) of one array at one step; `counts` is a JSON array."""

    batchno: int
    name: str
    subname: str
    what: str
    low: float | None
    high: float | None
    counts: str


@dataclass(frozen=True)
class SweepRow:
    """All that a sweep's trials follow from; the columns of `sweeps` say what each field means.

    `over`, `settings` and `models` hold plain data and are stored as JSON.
    """

    uuid: str
    name: str | None
    over: Mapping[str, str]
    sampler: str
    trials: int
    prune_after: int
    seed: int
    settings: Mapping[str, Any]
    model: str
    models: Mapping[str, Any]
    data: str | None
    data_digest: str
    folder: str


class TrialRow(NamedTuple):
    """One trial of a sweep; `parameters` is a JSON object."""

    sweep: int
    number: int
    startID: int  # noqa: N815 - the name of the column
    parameters: str
    state: str
    value: float | None = None
    step: int | None = None
